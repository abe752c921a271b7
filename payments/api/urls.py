"""The API's addresses, below `/api/v1/`."""

from django.urls import path, register_converter

from payments.api import views


class AnyId:
    """A merchant's own id, which may hold a slash. What cannot be one is the view's to refuse."""

    regex = "(?s:.+)"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(AnyId, "any_id")
urlpatterns = [
    path("payments", views.PaymentsView.as_view()),
    path("payments/<str:payment_id>", views.PaymentView.as_view()),
    path("payments/<str:payment_id>/capture", views.CaptureView.as_view()),
    path("payments/<str:payment_id>/void", views.VoidView.as_view()),
    path("payments/<str:payment_id>/refund", views.RefundView.as_view()),
    path("payments/<str:payment_id>/events", views.EventsView.as_view()),
    path("orders/<any_id:order_id>", views.OrderView.as_view()),
    path("customers/<any_id:customer_id>/payments", views.CustomerPaymentsView.as_view()),
]

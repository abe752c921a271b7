"""The API's addresses, below `/api/v1/`."""

from django.urls import path

from payments.api import views

urlpatterns = [
    path("payments", views.PaymentsView.as_view()),
    path("payments/<str:payment_id>", views.PaymentView.as_view()),
    path("payments/<str:payment_id>/capture", views.CaptureView.as_view()),
    path("payments/<str:payment_id>/void", views.VoidView.as_view()),
    path("payments/<str:payment_id>/refund", views.RefundView.as_view()),
    path("payments/<str:payment_id>/events", views.EventsView.as_view()),
    # A merchant's own ids may hold a slash.
    path("orders/<path:order_id>", views.OrderView.as_view()),
    path("customers/<path:customer_id>/payments", views.CustomerPaymentsView.as_view()),
]

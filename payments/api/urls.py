"""The API's URLs, below `/api/v1/`."""

from django.urls import register_converter
from rest_framework.routers import SimpleRouter

from payments.api import views
from payments.api.settlements.views import SettlementViewSet


class AnyId:
    """A merchant's own id, which may contain a slash. The view validates it."""

    regex = "(?s:.+)"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(AnyId, "any_id")
router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("payments", views.PaymentViewSet, basename="payment")
router.register("orders", views.OrderViewSet, basename="order")
router.register("customers", views.CustomerViewSet, basename="customer")
router.register("settlements", SettlementViewSet, basename="settlement")
urlpatterns = router.urls

"""The API's URLs, below `/api/v1/`."""

from django.urls import path, register_converter
from rest_framework.routers import SimpleRouter

from payments.api import views
from payments.api.merchants.views import ApiKeyViewSet, MerchantViewSet
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
urlpatterns = [
    *router.urls,
    path("merchants/me", MerchantViewSet.as_view({"get": "retrieve"}), name="merchant"),
    path(
        "merchants/me/api-keys",
        ApiKeyViewSet.as_view({"get": "list", "post": "create"}),
        name="api-keys",
    ),
    path(
        "merchants/me/api-keys/<str:key_id>",
        ApiKeyViewSet.as_view({"delete": "destroy"}),
        name="api-key",
    ),
    path(
        "merchants/me/api-keys/<str:key_id>/rotate",
        ApiKeyViewSet.as_view({"post": "rotate"}),
        name="api-key-rotation",
    ),
]

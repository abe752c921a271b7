"""django-unfold's classes, typed as the Django classes that they replace. unfold has no type hints."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.contrib.admin.forms import AdminPasswordChangeForm as AdminOwnPasswordChangeForm
    from django.contrib.admin.views.main import ChangeList
    from django.contrib.admin.widgets import AdminTextareaWidget as Textarea
    from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm
    from django.contrib.auth.forms import AdminUserCreationForm as UserCreationForm
    from django.core.paginator import Paginator

    def action(*, description: str, url_path: str, permissions: list[str]) -> Callable[[F], F]:
        """A button above the form of one object, and its page."""
else:
    import unfold.admin
    from django.core import paginator
    from unfold.decorators import action
    from unfold.forms import (
        AdminOwnPasswordChangeForm,
        AdminPasswordChangeForm,
        UserChangeForm,
        UserCreationForm,
    )
    from unfold.views import ChangeList
    from unfold.widgets import UnfoldAdminTextareaWidget as Textarea

    class ModelAdmin(unfold.admin.ModelAdmin):
        def __class_getitem__(cls, _model: Any) -> Any:
            return cls

    class Paginator(paginator.Paginator):
        def __class_getitem__(cls, _model: Any) -> Any:
            return cls


__all__ = [
    "AdminOwnPasswordChangeForm",
    "AdminPasswordChangeForm",
    "ChangeList",
    "ModelAdmin",
    "Paginator",
    "Textarea",
    "UserChangeForm",
    "UserCreationForm",
    "action",
]

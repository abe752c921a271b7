"""django-unfold's classes under the types of those of Django that they stand in for: it brings none."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.contrib.admin.views.main import ChangeList
    from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm
    from django.contrib.auth.forms import AdminUserCreationForm as UserCreationForm
    from django.core.paginator import Paginator
else:
    import unfold.admin
    from django.core import paginator
    from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
    from unfold.views import ChangeList

    class ModelAdmin(unfold.admin.ModelAdmin):
        def __class_getitem__(cls, _model: Any) -> Any:
            return cls

    class Paginator(paginator.Paginator):
        def __class_getitem__(cls, _model: Any) -> Any:
            return cls


__all__ = [
    "AdminPasswordChangeForm",
    "ChangeList",
    "ModelAdmin",
    "Paginator",
    "UserChangeForm",
    "UserCreationForm",
]

"""The groups of staff and what each may do. Superusers may change them afterwards."""

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_LOOK = ['view_payment', 'view_operation', 'view_attempt', 'view_event', 'view_discrepancy', 'view_resolution']
_SUPPORT = [*_LOOK, 'view_assignment', 'resolve_operation', 'instruct_payment']
GROUPS = {
    'Support': _SUPPORT,
    'Support lead': [*_SUPPORT, 'approve_resolution'],
    'Finance': [*_LOOK, 'view_merchant', 'export_payments'],
    'Auditor': [*_LOOK, 'view_assignment', 'view_merchant', 'view_apikey'],
    'Operations': ['view_merchant', 'view_apikey', 'disable_apikey'],
}


def create_groups(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # Django makes permissions when all migrations are done, which is too late here.
    alias = schema_editor.connection.alias
    payments = apps.get_app_config('payments')
    payments.models_module = True
    create_permissions(payments, apps=apps, verbosity=0, using=alias)
    payments.models_module = None
    permissions = apps.get_model('auth', 'Permission').objects.using(alias)
    for name, codenames in GROUPS.items():
        group, _ = apps.get_model('auth', 'Group').objects.using(alias).get_or_create(name=name)
        found = permissions.filter(content_type__app_label='payments', codename__in=codenames)
        assert found.count() == len(codenames), name
        group.permissions.add(*found)


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0005_staff_permissions'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
    ]

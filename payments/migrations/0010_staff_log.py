"""What staff did as a log of its own, the schedules' page, and who may look at them."""

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

PERMISSIONS = {
    'Support lead': ['view_staff_log'],
    'Auditor': ['view_staff_log', 'view_schedules'],
    'Operations': ['view_schedules', 'run_schedules'],
}


def give_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """To those of the groups that are still there: superusers may have renamed one."""
    # Django makes permissions when all migrations are done, which is too late here.
    alias = schema_editor.connection.alias
    payments = apps.get_app_config('payments')
    module = getattr(payments, 'models_module', None)
    payments.models_module = True
    create_permissions(payments, apps=apps, verbosity=0, using=alias)
    payments.models_module = module
    permissions = apps.get_model('auth', 'Permission').objects.using(alias)
    for group in apps.get_model('auth', 'Group').objects.using(alias).filter(name__in=PERMISSIONS):
        codenames = PERMISSIONS[group.name]
        found = permissions.filter(content_type__app_label='payments', codename__in=codenames)
        assert found.count() == len(codenames), group.name
        group.permissions.add(*found)


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0009_requests_and_evidence'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='event',
            options={'permissions': [('view_staff_log', 'Can view the log of what staff did')]},
        ),
        migrations.AlterModelOptions(
            name='heartbeat',
            options={'permissions': [('view_schedules', 'Can view schedules and signs of life'), ('run_schedules', 'Can have a schedule run at once')]},
        ),
        migrations.AlterField(
            model_name='event',
            name='type',
            field=models.CharField(choices=[('payment.created', 'Payment Created'), ('payment.authorized', 'Payment Authorized'), ('payment.captured', 'Payment Captured'), ('payment.voided', 'Payment Voided'), ('payment.refunded', 'Payment Refunded'), ('payment.expired', 'Payment Expired'), ('payment.declined', 'Payment Declined'), ('payment.failed', 'Payment Failed'), ('capture.requested', 'Capture Requested'), ('capture.not_executed', 'Capture Not Executed'), ('void.requested', 'Void Requested'), ('void.not_executed', 'Void Not Executed'), ('refund.requested', 'Refund Requested'), ('refund.not_executed', 'Refund Not Executed'), ('release.requested', 'Release Requested'), ('release.succeeded', 'Release Succeeded'), ('release.not_executed', 'Release Not Executed'), ('operation.needs_review', 'Operation Needs Review'), ('note.added', 'Note Added'), ('operation.assigned', 'Operation Assigned'), ('operation.asked_again', 'Operation Asked Again'), ('resolution.proposed', 'Resolution Proposed'), ('resolution.applied', 'Resolution Applied'), ('resolution.refused', 'Resolution Refused'), ('api_key.disabled', 'Api Key Disabled'), ('payments.exported', 'Payments Exported'), ('user.created', 'User Created'), ('user.changed', 'User Changed'), ('user.password_changed', 'User Password Changed'), ('user.second_factor_set_up', 'User Second Factor Set Up'), ('user.second_factor_reset', 'User Second Factor Reset'), ('group.created', 'Group Created'), ('group.changed', 'Group Changed'), ('schedule.run_now', 'Schedule Run Now'), ('late_answer.found', 'Late Answer Found'), ('late_hold.found', 'Late Hold Found')], max_length=32),
        ),
    ]

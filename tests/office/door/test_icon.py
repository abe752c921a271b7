"""The icon by which people find FicPay among their browser's pages."""

import pytest
from django.test import Client


class TestIcon:
    def test_is_where_browsers_look_for_it_without_being_told(self, client: Client) -> None:
        answer = client.get("/favicon.ico", follow=True)
        assert answer.status_code == 200
        assert answer["Content-Type"] == "image/svg+xml"
        assert answer.getvalue().startswith(b"<svg")

    @pytest.mark.django_db
    def test_is_named_by_the_login_and_by_every_page_behind_it(
        self, client: Client, admin_client: Client
    ) -> None:
        for page in (client.get("/admin/login/"), admin_client.get("/admin/")):
            assert '<link rel="icon" href="/static/payments/icon.svg"' in page.content.decode()

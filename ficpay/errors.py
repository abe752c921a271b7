"""Error reports that show where an unexpected error happened, but never the data involved."""

from typing import Any

from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

from payments.domain.cards import mask_card_numbers


class DiscreetExceptionReporter(ExceptionReporter):
    """Django's error report without local variables, request data and card numbers.

    During a request, a card and its CVV are in local variables and in the body.
    """

    def get_traceback_frame_variables(self, *_: Any) -> list[Any]:
        return []

    def get_traceback_data(self) -> dict[str, Any]:
        data: dict[str, Any] = super().get_traceback_data()
        for frame in data.get("frames", []):
            frame["vars"] = []
        data["filtered_POST_items"] = []
        data["request_GET_items"] = []
        data["request_COOKIES_items"] = []
        data["request_FILES_items"] = []
        data["unicode_hint"] = ""
        data["request_meta"] = {}
        data["request_insecure_uri"] = ""
        if "exception_value" in data:
            data["exception_value"] = mask_card_numbers(str(data["exception_value"]))
        return data

    def get_traceback_html(self) -> SafeString:
        return SafeString(mask_card_numbers(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(mask_card_numbers(super().get_traceback_text()))

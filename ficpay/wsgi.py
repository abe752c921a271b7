"""The web server's entry: `granian --interface wsgi ficpay.wsgi:application`."""

import os
from collections.abc import Iterable
from io import BytesIO
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from django.conf import settings
from django.core.wsgi import get_wsgi_application


def with_known_length(application: WSGIApplication) -> WSGIApplication:
    """Measure a body that comes in chunks: Django takes one without a Content-Length for empty.

    A capture that names an amount would become one that names none.
    """

    def measured(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        if chunked and environ.get("wsgi.input_terminated"):
            # One byte over the limit is enough for the parser to refuse it.
            body = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return application(environ, start_response)

    return measured


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ficpay.settings")
application = with_known_length(get_wsgi_application())

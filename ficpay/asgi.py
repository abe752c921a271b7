"""The web server's entry point: `granian --interface asginl ficpay.asgi:application`.

There is no entry point for WSGI servers: they hide parts of a request that `ficpay.intake` must check.
"""

import gc
import os

from django.core.wsgi import get_wsgi_application

from ficpay.intake import Intake

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ficpay.settings")
django = get_wsgi_application()

from payments.engine.callers import exchange  # noqa: E402 - models are ready only now

application = Intake(django, start=exchange.start)
# All modules are loaded and stay, so the garbage collector need not scan them again. A request leaves few
# reference cycles, so collect less often than Python's default of every 700 new objects.
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 20, 50)

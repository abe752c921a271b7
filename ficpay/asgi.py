"""The web server's entry: `granian --interface asginl ficpay.asgi:application`.

There is none for WSGI servers, from which `ficpay.intake` keeps what they would hide.
"""

import gc
import os

from django.core.wsgi import get_wsgi_application

from ficpay.intake import Intake

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ficpay.settings")
django = get_wsgi_application()
application = Intake(django)
# What is loaded by now stays for good: no collection looks at it again. A request leaves little in cycles, so
# that they are looked for less often than after 700 new objects, as Python does.
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 20, 50)

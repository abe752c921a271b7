"""The web server's entry: `granian --interface asginl ficpay.asgi:application`.

There is none for WSGI servers, from which `ficpay.intake` keeps what they would hide.
"""

import os

from django.core.wsgi import get_wsgi_application

from ficpay.intake import Intake

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ficpay.settings")
django = get_wsgi_application()
application = Intake(django)

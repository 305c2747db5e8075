"""A gateway that clients, scrapers and scripts cannot tell from Prometheus Pushgateway, over a group store.

:class:`Gateway` answers requests, which are plain data; :func:`make_asgi_app` and :func:`make_wsgi_app` mount it in any
server or application. Nothing here opens a socket.
"""

from .asgi import make_asgi_app
from .handler import Gateway
from .messages import Headers, Request, Response
from .own import OwnMetrics
from .wsgi import make_wsgi_app

__all__ = ["Gateway", "Headers", "OwnMetrics", "Request", "Response", "make_asgi_app", "make_wsgi_app"]

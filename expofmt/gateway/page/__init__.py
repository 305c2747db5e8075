"""The gateway's web page: its files, and the JSON that they show. Pure: whoever answers requests sends it.

``/`` and ``/status`` are :func:`index`, what lies below ``/static/`` is in :data:`files`, and the page's scripts ask
for ``/api/v1/groups`` (:func:`overview_json`), ``/api/v1/groups/job/...`` (:func:`group_json`) and
``/api/v1/status``. Plain HTML, CSS and JavaScript modules: nothing is built, and nothing comes from elsewhere.
"""

from .data import DEFAULT_MAX_SAMPLES, group_json, overview_json
from .document import CONTENT_SECURITY_POLICY, files, index

__all__ = ["CONTENT_SECURITY_POLICY", "DEFAULT_MAX_SAMPLES", "files", "group_json", "index", "overview_json"]

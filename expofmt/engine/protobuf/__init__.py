"""The protobuf format: ``io.prometheus.client.MetricFamily`` messages, each after its length as a varint.

Google's ``protobuf`` package (extra ``protobuf``) reads and writes the wire format. The descriptors are made here, in a
pool of their own, so that they clash with no other package's, and as this module needs them:

* Names, help texts and types are plain bytes and numbers, so that what is wrong with them is found here.
* A label pair is the bytes of its message: the same pair stands in very many metrics, and is read and written once.
* The payload of a metric is a ``oneof``: a second one shows in the size of the message, as an unknown field does.
* Native histograms are no fields: to a message that has them they are unknown ones.

So nothing is asked of every field in Python, and what is rare (a fault, a field that is not known) is found by a walk
over the bytes, which knows the offset of each.
"""

from .reading import scan
from .wire import MOST_REPEATED, has_more_messages, span_of_family
from .writing import encode

__all__ = ["MOST_REPEATED", "encode", "has_more_messages", "scan", "span_of_family"]

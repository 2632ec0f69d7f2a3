"""Every file here holds the stories of one kind of client; the order below is the order in which they run."""

from . import registering, calling, forking, conformance, conformance_proxy, robustness, silent, baresip, linphone, sipp, tools  # noqa: F401

"""Every file here holds the stories of one kind of client; the order below is the order in which they run."""

from . import registering, calling, forking, conformance, conformance_proxy  # noqa: F401
from . import events, early_dialogs, octets, proxying, loops, cancelling, transactions, routes  # noqa: F401
from . import outbound, path, gruu, flows, keepalive, identity, settings, certificates  # noqa: F401
from . import robustness, silent, baresip, linphone, sipp, tools  # noqa: F401
from . import revocation  # noqa: F401
from . import profiles, sessions  # noqa: F401
from . import scanners  # noqa: F401
from . import mesh, crossing, supervising, rolling, upgrading, draining, administering, kills, redis_away  # noqa: F401

"""Error messages, one module a subject; every function is found here by name."""

from isthmus.checks.classify import *  # noqa: F403
from isthmus.checks.cluster import *  # noqa: F403
from isthmus.checks.clusters import *  # noqa: F403
from isthmus.checks.coding import *  # noqa: F403
from isthmus.checks.data import *  # noqa: F403
from isthmus.checks.detect import *  # noqa: F403
from isthmus.checks.explain import *  # noqa: F403
from isthmus.checks.impute import *  # noqa: F403
from isthmus.checks.jobs import *  # noqa: F403
from isthmus.checks.likelihood import *  # noqa: F403
from isthmus.checks.maps import *  # noqa: F403
from isthmus.checks.metrics import *  # noqa: F403
from isthmus.checks.parameters import *  # noqa: F403
from isthmus.checks.photographs import *  # noqa: F403
from isthmus.checks.pictures import *  # noqa: F403
from isthmus.checks.preprocessing import *  # noqa: F403
from isthmus.checks.restorer import *  # noqa: F403
from isthmus.checks.restoring import *  # noqa: F403
from isthmus.checks.tables import *  # noqa: F403
from isthmus.checks.tasks import *  # noqa: F403
from isthmus.checks.tune import *  # noqa: F403

"""What Python starts."""

from labrig.experiments.host.main import main

raise SystemExit(main())

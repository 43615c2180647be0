"""Where rows of numbers outlive the process. What they mean is the core's business."""

"""Person detectors: the only home of mmdet, mmcv and mmengine."""

#!/usr/bin/env python3
"""Makes the golden files of the preprocessing test with Pillow (made with 13.0.0).

Run in this folder: python3 pillow.py
"""
from PIL import Image

WIDTH, HEIGHT = 120, 90


def pixel(x: int, y: int) -> tuple[int, int, int]:
    """Noise, edges and a gradient."""
    noise = ((x * 7919 + y * 104729) * 2654435761 >> 13) & 255
    edge = 230 if (x // 5 + y // 3) % 2 == 0 else 12
    return noise, edge, x * 255 // WIDTH


source = Image.new("RGB", (WIDTH, HEIGHT))
source.putdata([pixel(x, y) for y in range(HEIGHT) for x in range(WIDTH)])
source.save("source_120x90.png")

for width, height in [(32, 32), (160, 100)]:
    source.resize((width, height), Image.Resampling.BILINEAR).save(f"pillow_stretch_{width}x{height}.png")

# The largest centred square, resampled with the crop as the filter's box.
left = (WIDTH - HEIGHT) / 2
box = (left, 0, left + HEIGHT, HEIGHT)
source.resize((32, 32), Image.Resampling.BILINEAR, box=box).save("pillow_center_crop_32x32.png")

#!/usr/bin/env python3
"""Makes the pictures and compressed camera frames in fuzz/corpus: small ones, in every variant that Pillow writes.

Run in the folder fuzz/, with Pillow >= 10: python3 seeds.py. The other inputs are written by the test
`the_inputs_that_the_library_makes_are_written` in tests/it/fuzz.rs.
"""

import io
import pathlib

from PIL import Image

CORPUS = pathlib.Path(__file__).parent / "corpus"


def picture(width, height):
    """Smooth, with an edge and some colour."""
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            image.putpixel((x, y), (4 * x % 256, 6 * y % 256, 200 if x > y else 40))
    return image


def write(folder, name, content):
    (CORPUS / folder).mkdir(parents=True, exist_ok=True)
    (CORPUS / folder / name).write_bytes(content)


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def without_tables(jpeg):
    """Without Huffman tables, as UVC cameras send it."""
    kept, at = bytearray(jpeg[:2]), 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] != 0xC4:
            kept += jpeg[at:end]
        at = end
    return bytes(kept + jpeg[at:])


def frames():
    image = picture(24, 17)
    variants = {
        "444": dict(subsampling=0),
        "422": dict(subsampling=1),
        "420": dict(subsampling=2),
        "progressive": dict(progressive=True),
        "restart": dict(restart_marker_blocks=1),
    }
    for name, options in variants.items():
        size = bytes([image.width - 1, image.height - 1])
        jpeg = encoded(image, "JPEG", quality=60, **options)
        write("mjpeg", f"{name}.bin", size + jpeg)
        if name in ("422", "420"):
            write("mjpeg", f"{name}-no-tables.bin", size + without_tables(jpeg) + bytes(20))
    write("mjpeg", "grey.bin", size + encoded(image.convert("L"), "JPEG", quality=60))
    write("mjpeg", "cut.bin", size + encoded(image, "JPEG", quality=60)[:-150])
    # Of sides that can be made 2, 4 or 8 times smaller.
    for divisor, (width, height) in ((2, (36, 18)), (4, (24, 20)), (8, (32, 24))):
        image = picture(width, height)
        for name in ("422", "420", "restart"):
            jpeg = encoded(image, "JPEG", quality=60, **variants[name])
            write("mjpeg", f"{name}-by-{divisor}.bin", bytes([width - 1, height - 1]) + jpeg)


def pictures():
    image = picture(13, 9)
    modes = {"rgb": image, "grey": image.convert("L"), "palette": image.convert("P"), "bit": image.convert("1")}
    modes["alpha"] = image.convert("RGBA")
    modes["grey16"] = Image.new("I;16", image.size, 40000)
    for mode in ("rgb", "grey", "palette", "bit", "alpha", "grey16"):
        write("picture", f"{mode}.png", encoded(modes[mode], "PNG"))
    for mode in ("rgb", "grey", "palette", "bit"):
        write("picture", f"{mode}.bmp", encoded(modes[mode], "BMP"))
    for mode in ("rgb", "grey", "bit"):
        write("picture", f"{mode}.pnm", encoded(modes[mode], "PPM"))
    write("picture", "plain.ppm", b"P3\n2 1\n255\n1 2 3 4 5 6\n")
    write("picture", "any.pam", b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\nabcdef")
    for name, packing in (("raw", None), ("lzw", "tiff_lzw"), ("deflate", "tiff_adobe_deflate"), ("packbits", "packbits")):
        write("picture", f"{name}.tiff", encoded(image, "TIFF", compression=packing))
    write("picture", "grey16.tiff", encoded(modes["grey16"], "TIFF"))
    write("picture", "lossy.webp", encoded(image, "WEBP", quality=40))
    write("picture", "lossless.webp", encoded(image, "WEBP", lossless=True))
    write("picture", "alpha.webp", encoded(modes["alpha"], "WEBP", quality=40))
    write("picture", "palette.gif", encoded(modes["palette"], "GIF"))
    write("picture", "moving.gif", encoded(image, "GIF", save_all=True, append_images=[image.rotate(90)], loop=0))
    write("picture", "baseline.jpeg", encoded(image, "JPEG", quality=50))
    write("picture", "progressive.jpeg", encoded(image, "JPEG", quality=50, progressive=True))
    write("picture", "cmyk.jpeg", encoded(image.convert("CMYK"), "JPEG", quality=50))


frames()
pictures()

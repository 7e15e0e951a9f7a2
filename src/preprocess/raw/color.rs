//! From resampled components to the network's input: colours, clamping, normalising. Once per pixel of the network, not of the
//! camera.

use crate::decode::{Encoding, PixelFormat, Range, RawLayout};
use crate::package::{Color, InputSpec};
use crate::simd::vectorised;

/// What one plane of the network's input is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Channel {
    /// Factors of the three components; what is added, last.
    pub(super) gains: [f32; 4],
    /// Finishes a value from 0 to 255.
    scale: f32,
    shift: f32,
}

/// The planes of the network's input, in its own order.
pub(super) fn channels(layout: &RawLayout, spec: &InputSpec) -> [Channel; 3] {
    let rgb = rgb_gains(layout.format(), layout.encoding());
    std::array::from_fn(|channel| {
        let place = match spec.color {
            Color::Rgb => channel,
            Color::Bgr => 2 - channel,
        };
        Channel {
            gains: rgb[place].map(|gain| gain as f32),
            scale: spec.scale / spec.std[channel],
            shift: -spec.mean[channel] / spec.std[channel],
        }
    })
}

/// How red, green and blue follow from a format's components.
fn rgb_gains(format: PixelFormat, encoding: Encoding) -> [[f64; 4]; 3] {
    let (stretch, black) = match encoding.range {
        Range::Limited => (255.0 / 219.0, 16.0),
        Range::Full => (1.0, 0.0),
    };
    let offset = -stretch * black;
    match format {
        PixelFormat::Rgb3 | PixelFormat::Bgr3 => {
            [[stretch, 0.0, 0.0, offset], [0.0, stretch, 0.0, offset], [0.0, 0.0, stretch, offset]]
        }
        PixelFormat::Grey => [[stretch, 0.0, 0.0, offset]; 3],
        _ => {
            let gains = encoding.rgb_from_ycbcr();
            gains.chroma.map(|[cb, cr]| [gains.luma, cb, cr, -gains.luma * gains.black - 128.0 * (cb + cr)])
        }
    }
}

vectorised! {
    /// A row of one channel of the network's input from colours that may lie a little outside of those that there are.
    pub(super) fn finish(colors: &[f32], channel: &Channel, output: &mut [f32]) -> () {
        let Channel { scale, shift, .. } = *channel;
        for (output, color) in output.iter_mut().zip(colors) {
            *output = color.clamp(0.0, 255.0).mul_add(scale, shift);
        }
    }
}

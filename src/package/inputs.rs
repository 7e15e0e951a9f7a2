//! The inputs of golden vectors, which stay in memory for as long as a monitor runs: bit for bit, and in a quarter of their size where they
//! were made of pictures.
//!
//! A picture of 8 bits has 256 values at most in each channel, and still has them when it is scaled and normalised. So each value is held as
//! its place among those of its channel. Inputs that have more are held as they are.

use ndarray::{Array4, Axis};

/// Most values of a channel that a byte can tell apart.
const MOST_VALUES: usize = 256;
/// Bits of a value's place in the table by which it is found again: 16 times as many as there are values.
const SLOT_BITS: u32 = 12;

/// Preprocessed inputs [N, 3, H, W].
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenInputs {
    shape: [usize; 4],
    held: Held,
}

#[derive(Debug, Clone, PartialEq)]
enum Held {
    /// Of each channel its values, and of every value its place among them.
    Places {
        values: Vec<Vec<f32>>,
        places: Vec<u8>,
    },
    Values(Vec<f32>),
}

impl GoldenInputs {
    /// Of values in the order of [N, C, H, W], of which there are as many as the shape wants.
    pub(super) fn new(shape: [usize; 4], values: impl Iterator<Item = f32> + Clone) -> Self {
        let held = Held::as_places(shape, values.clone()).unwrap_or_else(|| Held::Values(values.collect()));
        Self { shape, held }
    }

    /// Inputs there are.
    pub fn count(&self) -> usize {
        self.shape[0]
    }

    /// The place of the first value that is no finite number.
    pub(super) fn not_finite(&self) -> Option<usize> {
        match &self.held {
            // All of them are there, each once.
            Held::Places { values, .. } if values.iter().flatten().all(|value| value.is_finite()) => None,
            Held::Places { .. } => self.to_array().iter().position(|value| !value.is_finite()),
            Held::Values(values) => values.iter().position(|value| !value.is_finite()),
        }
    }

    /// Writes one input into the network's, row by row; nothing where there is no such input.
    pub fn write(&self, input: usize, to: &mut [f32]) {
        let plane = self.shape[2] * self.shape[3];
        let length = self.shape[1] * plane;
        if input >= self.count() || plane == 0 {
            return;
        }
        match &self.held {
            Held::Values(values) => {
                to.iter_mut().zip(&values[input * length..]).for_each(|(to, value)| *to = *value);
            }
            Held::Places { values, places } => {
                let planes = places[input * length..].chunks_exact(plane);
                for ((to, places), values) in to.chunks_mut(plane).zip(planes).zip(values) {
                    to.iter_mut().zip(places).for_each(|(to, place)| *to = values[usize::from(*place)]);
                }
            }
        }
    }

    /// The first input, as a batch of one.
    pub fn first(&self) -> Array4<f32> {
        let [_, channels, height, width] = self.shape;
        let mut first = Array4::zeros((self.count().min(1), channels, height, width));
        if let Some(values) = first.as_slice_mut() {
            self.write(0, values);
        }
        first
    }

    /// All of them.
    pub fn to_array(&self) -> Array4<f32> {
        let mut all = Array4::zeros(self.shape);
        for (input, mut to) in all.axis_iter_mut(Axis(0)).enumerate() {
            if let Some(values) = to.as_slice_mut() {
                self.write(input, values);
            }
        }
        all
    }
}

impl From<Array4<f32>> for GoldenInputs {
    fn from(array: Array4<f32>) -> Self {
        let (inputs, channels, height, width) = array.dim();
        Self::new([inputs, channels, height, width], array.iter().copied())
    }
}

impl Held {
    /// None where a channel has too many values.
    fn as_places([inputs, channels, height, width]: [usize; 4], mut values: impl Iterator<Item = f32>) -> Option<Self> {
        let mut known: Vec<Known> = (0..channels).map(|_| Known::default()).collect();
        let mut places = Vec::with_capacity(inputs * channels * height * width);
        for _ in 0..inputs {
            for known in &mut known {
                for value in values.by_ref().take(height * width) {
                    places.push(known.place(value)?);
                }
            }
        }
        Some(Self::Places { values: known.into_iter().map(|known| known.values).collect(), places })
    }
}

/// The values of a channel that have come so far.
struct Known {
    values: Vec<f32>,
    /// Where each value was put, and one more; 0 is nobody's.
    slots: Vec<u16>,
}

impl Default for Known {
    fn default() -> Self {
        Self { values: Vec::new(), slots: vec![0; 1 << SLOT_BITS] }
    }
}

impl Known {
    /// The place of a value among those of the channel, found or given. Two zeros of different signs are two values.
    fn place(&mut self, value: f32) -> Option<u8> {
        let bits = value.to_bits();
        // Fibonacci hashing: the upper bits of the product depend on all of the value's.
        let mut slot = (bits.wrapping_mul(0x9e37_79b1) >> (u32::BITS - SLOT_BITS)) as usize;
        loop {
            match self.slots[slot] {
                0 if self.values.len() == MOST_VALUES => return None,
                0 => {
                    self.values.push(value);
                    self.slots[slot] = self.values.len() as u16;
                    return u8::try_from(self.values.len() - 1).ok();
                }
                taken if self.values[usize::from(taken) - 1].to_bits() == bits => return u8::try_from(taken - 1).ok(),
                _ => slot = (slot + 1) % self.slots.len(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(array: &Array4<f32>) -> Vec<u32> {
        array.iter().map(|value| value.to_bits()).collect()
    }

    /// So many values per channel, the same in none of two channels.
    fn of_values(count: usize) -> Array4<f32> {
        Array4::from_shape_fn((3, 3, 20, 30), |(n, c, y, x)| {
            let value = (n * 600 + y * 30 + x) % count;
            (value as f32 / 255.0 - 0.45) / (0.2 + 0.01 * c as f32)
        })
    }

    #[test]
    fn inputs_of_pictures_take_a_byte_per_value_and_come_back_to_the_last_bit() {
        for count in [1, 2, 255, 256] {
            let array = of_values(count);
            let held = GoldenInputs::from(array.clone());
            assert!(matches!(held.held, Held::Places { .. }), "{count} values");
            assert_eq!(bits(&held.to_array()), bits(&array));
            let mut second = vec![0.0; 3 * 20 * 30];
            held.write(1, &mut second);
            assert_eq!(second, array.index_axis(Axis(0), 1).iter().copied().collect::<Vec<_>>());
            held.write(3, &mut second);
            assert_eq!(second, array.index_axis(Axis(0), 1).iter().copied().collect::<Vec<_>>());
            assert_eq!(held.first(), array.slice_axis(Axis(0), (0..1).into()));
            assert_eq!((held.count(), held.not_finite()), (3, None));
        }
    }

    #[test]
    fn inputs_of_more_values_are_held_as_they_are() {
        let mut array = of_values(256);
        array[[2, 1, 7, 7]] = 0.1234;
        let held = GoldenInputs::from(array.clone());
        assert!(matches!(held.held, Held::Values(_)));
        assert_eq!(bits(&held.to_array()), bits(&array));
    }

    #[test]
    fn zeros_of_both_signs_and_numbers_that_are_none_keep_their_bits_and_are_found() {
        let values = [0.0, -0.0, f32::MIN_POSITIVE, -1.0, 0.0, -0.0];
        let array = Array4::from_shape_vec((1, 1, 2, 3), values.to_vec()).unwrap();
        assert_eq!(bits(&GoldenInputs::from(array.clone()).to_array()), bits(&array));
        for wrong in [f32::NAN, f32::INFINITY] {
            let mut array = array.clone();
            array[[0, 0, 1, 1]] = wrong;
            let held = GoldenInputs::from(array.clone());
            assert_eq!((bits(&held.to_array()), held.not_finite()), (bits(&array), Some(4)));
        }
    }
}

//! Protobuf on the wire: a message as a row of fields, each with the very bytes it was written in.
//!
//! Who changes a file of somebody else must not lose what he does not understand. So a message is taken apart into
//! byte ranges, and what is not meant to change is copied as it is. Reading neither recurses nor allocates.
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its number in the message's definition.
    pub number: u64,
    /// What it holds.
    pub value: Value<'a>,
    /// Tag and value as they stand in the message.
    pub raw: &'a [u8],
}

/// The wire's four kinds of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer, a boolean or an enumeration.
    Varint(u64),
    /// Eight bytes, little-endian.
    Fixed64(&'a [u8]),
    /// A message, a text, bytes, or packed numbers.
    Bytes(&'a [u8]),
    /// Four bytes, little-endian.
    Fixed32(&'a [u8]),
}

/// Why bytes are no protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {offset} of {length}")]
pub struct WireError {
    /// Where the field begins, counted from the message's start.
    pub offset: usize,
    /// Length of the message in bytes.
    pub length: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

/// The fields of a message, in their order. Ends at the first error.
pub struct Fields<'a> {
    message: &'a [u8],
    offset: usize,
}

/// Takes a message apart.
pub fn fields(message: &[u8]) -> Fields<'_> {
    Fields { message, offset: 0 }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.message.get(self.offset..).filter(|rest| !rest.is_empty())?;
        let (offset, length) = (self.offset, self.message.len());
        match field(rest) {
            Ok(field) => {
                self.offset += field.raw.len();
                Some(Ok(field))
            }
            Err(problem) => {
                self.offset = length;
                Some(Err(WireError { offset, length, problem }))
            }
        }
    }
}

fn field(bytes: &[u8]) -> Result<Field<'_>, &'static str> {
    let (tag, rest) = varint(bytes)?;
    let (value, rest) = match tag & 7 {
        0 => {
            let (number, rest) = varint(rest)?;
            (Value::Varint(number), rest)
        }
        1 => take(rest, 8).map(|(value, rest)| (Value::Fixed64(value), rest))?,
        2 => {
            let (length, rest) = varint(rest)?;
            let length = usize::try_from(length).map_err(|_| CUT_SHORT)?;
            take(rest, length).map(|(value, rest)| (Value::Bytes(value), rest))?
        }
        5 => take(rest, 4).map(|(value, rest)| (Value::Fixed32(value), rest))?,
        _ => return Err("a field of unknown kind"),
    };
    match tag >> 3 {
        0 => Err("a field of number 0"),
        number => Ok(Field { number, value, raw: &bytes[..bytes.len() - rest.len()] }),
    }
}

const CUT_SHORT: &str = "a field that is cut short";

fn take(bytes: &[u8], count: usize) -> Result<(&[u8], &[u8]), &'static str> {
    bytes.split_at_checked(count).ok_or(CUT_SHORT)
}

fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), &'static str> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, &bytes[index + 1..]));
        }
    }
    Err(if bytes.len() < 10 { CUT_SHORT } else { "a number of more than 10 bytes" })
}

/// Appends a field that holds a message, a text or bytes.
pub fn put_bytes(out: &mut Vec<u8>, number: u64, value: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 & 0x7f | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_of_field_is_told_apart_and_keeps_its_bytes() {
        let message = [0x08, 0x96, 0x01, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1a, 2, b'h', b'i', 0x25, 9, 9, 9, 9];
        let found: Vec<Field<'_>> = fields(&message).map(Result::unwrap).collect();
        let values: Vec<_> = found.iter().map(|field| (field.number, field.value)).collect();
        assert_eq!(values[0], (1, Value::Varint(150)));
        assert_eq!(values[1], (2, Value::Fixed64(&[1, 2, 3, 4, 5, 6, 7, 8])));
        assert_eq!(values[2], (3, Value::Bytes(b"hi")));
        assert_eq!(values[3], (4, Value::Fixed32(&[9; 4])));
        assert_eq!(found.iter().flat_map(|field| field.raw.to_vec()).collect::<Vec<_>>(), message);
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error_that_names_the_place() {
        let error = fields(&[0x08, 1, 0x1a, 5, b'h']).last().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "a field that is cut short at byte 2 of 5");
        assert!(fields(&[0x1a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]).next().unwrap().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_fields_or_one_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut seen = 0;
            for field in fields(&bytes) {
                match field {
                    Ok(field) => seen += field.raw.len(),
                    Err(error) => prop_assert_eq!(error.offset, seen),
                }
            }
            prop_assert!(seen <= bytes.len());
        }

        #[test]
        fn what_is_put_is_read_back(number in 1_u64..1_000_000, value in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut message = Vec::new();
            put_bytes(&mut message, number, &value);
            let field = fields(&message).next().unwrap().unwrap();
            prop_assert_eq!((field.number, field.value), (number, Value::Bytes(&value)));
            prop_assert_eq!(field.raw, &message);
        }
    }
}

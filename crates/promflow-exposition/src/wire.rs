//! The wire format of protobuf: fields read one by one, and written without sizes known beforehand.
//!
//! Source: protobuf.dev, encoding. Groups, which no message here has, are refused.

use crate::error::Fault;

/// A message, or any other field of known length, with its place on the page.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Message<'a> {
    pub(crate) bytes: &'a [u8],
    /// The place of the first byte.
    pub(crate) at: usize,
}

/// The content of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(Message<'a>),
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    pub(crate) value: Value<'a>,
    /// The place of the field on the page.
    pub(crate) at: usize,
}

impl<'a> Field<'a> {
    fn mistyped(&self, expected: &str) -> Fault {
        Fault::new(self.at, format!("field {} is no {expected}", self.number))
    }

    pub(crate) fn message(&self) -> Result<Message<'a>, Fault> {
        match self.value {
            Value::Bytes(message) => Ok(message),
            _ => Err(self.mistyped("message")),
        }
    }

    pub(crate) fn text(&self) -> Result<&'a str, Fault> {
        let Value::Bytes(message) = self.value else {
            return Err(self.mistyped("string"));
        };
        std::str::from_utf8(message.bytes)
            .map_err(|e| Fault::new(message.at + e.valid_up_to(), "invalid UTF-8"))
    }

    pub(crate) fn double(&self) -> Result<f64, Fault> {
        match self.value {
            Value::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(self.mistyped("double")),
        }
    }

    pub(crate) fn unsigned(&self) -> Result<u64, Fault> {
        match self.value {
            Value::Varint(v) => Ok(v),
            _ => Err(self.mistyped("integer")),
        }
    }

    pub(crate) fn signed(&self) -> Result<i64, Fault> {
        self.unsigned().map(|v| v as i64)
    }

    pub(crate) fn zigzag(&self) -> Result<i64, Fault> {
        self.unsigned().map(unzigzag)
    }

    /// Takes a repeated double, packed or not.
    pub(crate) fn doubles(&self, out: &mut Vec<f64>) -> Result<(), Fault> {
        let Value::Bytes(packed) = self.value else {
            out.push(self.double()?);
            return Ok(());
        };
        let (chunks, rest) = packed.bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(self.mistyped("list of doubles"));
        }
        out.extend(chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)));
        Ok(())
    }

    /// Takes a repeated zigzag integer, packed or not.
    pub(crate) fn zigzags(&self, out: &mut Vec<i64>) -> Result<(), Fault> {
        let Value::Bytes(packed) = self.value else {
            out.push(self.zigzag()?);
            return Ok(());
        };
        let mut fields = Fields::new(packed);
        while !fields.is_empty() {
            out.push(unzigzag(fields.varint()?));
        }
        Ok(())
    }
}

fn unzigzag(v: u64) -> i64 {
    (v >> 1) as i64 ^ -((v & 1) as i64)
}

/// Reads the fields of a message.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    message: Message<'a>,
    pos: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(message: Message<'a>) -> Self {
        Self { message, pos: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pos == self.message.bytes.len()
    }

    /// Returns the place on the page.
    pub(crate) fn at(&self) -> usize {
        self.message.at + self.pos
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Fault> {
        // Tags, lengths and most integers have one byte.
        match self.message.bytes.get(self.pos) {
            Some(byte) if *byte < 0x80 => {
                self.pos += 1;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Fault> {
        let start = self.at();
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let Some(byte) = self.message.bytes.get(self.pos) else {
                return Err(Fault::new(self.at(), "unexpected end in an integer"));
            };
            self.pos += 1;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault::new(start, "integer is longer than 64 bits"))
    }

    /// Takes a message that its length precedes.
    pub(crate) fn delimited(&mut self) -> Result<Message<'a>, Fault> {
        let start = self.at();
        let length = self.varint()?;
        let rest = self.message.bytes.len() - self.pos;
        if length > rest as u64 {
            return Err(Fault::new(start, format!("length {length} passes the end of its message")));
        }
        self.take(length as usize)
    }

    fn take(&mut self, length: usize) -> Result<Message<'a>, Fault> {
        let at = self.at();
        let Some(bytes) = self.message.bytes.get(self.pos..self.pos + length) else {
            return Err(Fault::new(at, "unexpected end in a field"));
        };
        self.pos += length;
        Ok(Message { bytes, at })
    }

    fn fixed64(&mut self) -> Result<u64, Fault> {
        let at = self.at();
        let bytes = self.take(8)?.bytes;
        bytes.try_into().map(u64::from_le_bytes).map_err(|_| Fault::new(at, "unexpected end in a field"))
    }

    /// Takes the next field; `None` at the end of the message.
    pub(crate) fn next(&mut self) -> Result<Option<Field<'a>>, Fault> {
        if self.is_empty() {
            return Ok(None);
        }
        let at = self.at();
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|n| (1..1 << 29).contains(n));
        let Some(number) = number else {
            return Err(Fault::new(at, format!("field number {} is out of range", tag >> 3)));
        };
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.fixed64()?),
            2 => Value::Bytes(self.delimited()?),
            5 => {
                self.take(4)?;
                Value::Fixed32
            }
            other => return Err(Fault::new(at, format!("wire type {other} is not allowed"))),
        };
        Ok(Some(Field { number, value, at }))
    }
}

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u32) {
    put_varint(out, u64::from(number << 3 | wire_type));
}

/// Appends an unsigned or non-negative integer.
pub(crate) fn put_unsigned(out: &mut Vec<u8>, number: u32, v: u64) {
    put_tag(out, number, 0);
    put_varint(out, v);
}

fn zigzag(v: i64) -> u64 {
    ((v << 1) ^ (v >> 63)) as u64
}

/// Appends a zigzag integer.
pub(crate) fn put_zigzag(out: &mut Vec<u8>, number: u32, v: i64) {
    put_unsigned(out, number, zigzag(v));
}

/// Appends a double.
pub(crate) fn put_double(out: &mut Vec<u8>, number: u32, v: f64) {
    put_tag(out, number, 1);
    out.extend_from_slice(&v.to_le_bytes());
}

/// Appends a string.
pub(crate) fn put_text(out: &mut Vec<u8>, number: u32, text: &str) {
    put_tag(out, number, 2);
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Appends packed zigzag integers.
pub(crate) fn put_zigzags(out: &mut Vec<u8>, number: u32, values: &[i64]) {
    if !values.is_empty() {
        put_message(out, number, |out| values.iter().for_each(|v| put_varint(out, zigzag(*v))));
    }
}

/// Appends packed doubles.
pub(crate) fn put_doubles(out: &mut Vec<u8>, number: u32, values: &[f64]) {
    if !values.is_empty() {
        put_message(out, number, |out| values.iter().for_each(|v| out.extend_from_slice(&v.to_le_bytes())));
    }
}

/// Appends a message whose content the closure writes.
pub(crate) fn put_message(out: &mut Vec<u8>, number: u32, write: impl FnOnce(&mut Vec<u8>)) {
    put_tag(out, number, 2);
    put_delimited(out, write);
}

/// Appends a message after its length.
///
/// Cost: a message of 128 bytes or more is moved by a byte or two, as its length is known only behind it.
pub(crate) fn put_delimited(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.push(0);
    write(out);
    let length = out.len() - start - 1;
    if length < 0x80 {
        out[start] = length as u8;
        return;
    }
    let mut prefix = Vec::with_capacity(10);
    put_varint(&mut prefix, length as u64);
    out.splice(start..=start, prefix);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Field<'_>>, Fault> {
        let mut fields = Fields::new(Message { bytes, at: 0 });
        std::iter::from_fn(|| fields.next().transpose()).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        put_unsigned(&mut out, 1, u64::MAX);
        put_zigzag(&mut out, 2, i64::MIN);
        put_double(&mut out, 3, -0.5);
        put_text(&mut out, 4, &"é".repeat(100));
        put_zigzags(&mut out, 5, &[0, -1, i64::MAX]);
        put_doubles(&mut out, 1000, &[1.5, -2.0]);
        let fields = read(&out).unwrap();
        assert_eq!(fields.iter().map(|f| f.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 1000]);
        assert_eq!(fields[0].unsigned().unwrap(), u64::MAX);
        assert_eq!(fields[1].zigzag().unwrap(), i64::MIN);
        assert_eq!(fields[2].double().unwrap(), -0.5);
        assert_eq!(fields[3].text().unwrap().len(), 200);
        let (mut integers, mut doubles) = (Vec::new(), Vec::new());
        fields[4].zigzags(&mut integers).unwrap();
        fields[5].doubles(&mut doubles).unwrap();
        assert_eq!((integers, doubles), (vec![0, -1, i64::MAX], vec![1.5, -2.0]));
        assert!(
            fields[0].text().is_err()
                && fields[3].double().is_err()
                && fields[4].doubles(&mut vec![]).is_err()
        );
    }

    #[test]
    fn broken_bytes_are_refused_where_they_stand() {
        for (bytes, at, expected) in [
            (&[0x08][..], 1, "unexpected end in an integer"),
            (&[0x08, 0x80, 0x80], 3, "unexpected end in an integer"),
            (&[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2], 1, "integer is longer than 64 bits"),
            (&[0x00, 0x01], 0, "field number 0 is out of range"),
            (&[0x0a, 0x05, b'a'], 1, "length 5 passes the end of its message"),
            (&[0x09, 1, 2], 1, "unexpected end in a field"),
            (&[0x0b], 0, "wire type 3 is not allowed"),
        ] {
            let fault = read(bytes).unwrap_err();
            assert_eq!((fault.at, fault.message.as_ref()), (at, expected), "{bytes:?}");
        }
    }
}

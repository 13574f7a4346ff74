use proptest::prelude::*;

use super::*;

fn decoded(bytes: &[u8]) -> Result<Vec<(i64, u64)>, CorruptChunk> {
    let mut buffer = SampleBuffer::default();
    decode(bytes, i64::MIN, i64::MAX, &mut buffer)?;
    Ok(buffer.t_ms.iter().copied().zip(buffer.values.iter().map(|v| v.to_bits())).collect())
}

fn encoded(samples: &[(i64, u64)]) -> XorEncoder {
    let mut chunk = XorEncoder::new();
    for (t_ms, bits) in samples {
        chunk.append(*t_ms, f64::from_bits(*bits));
    }
    chunk
}

/// Times with deltas of every size class, values that repeat, count, wander or are noise.
fn samples() -> impl Strategy<Value = Vec<(i64, u64)>> {
    let delta =
        prop_oneof![Just(15_000i64), 14_990i64..15_010, 1i64..100_000, 1i64..20_000_000, 1i64..1 << 40];
    let value = prop_oneof![
        Just(0.0f64.to_bits()),
        Just(promflow_model::STALE_NAN.to_bits()),
        (0u32..1_000).prop_map(|n| f64::from(n).to_bits()),
        any::<f64>().prop_map(f64::to_bits),
        any::<u64>(),
    ];
    (any::<i32>(), prop::collection::vec((delta, value), 0..250)).prop_map(|(start, steps)| {
        let mut t_ms = i64::from(start) * 1_000;
        let next = |(delta, value): (i64, u64)| {
            t_ms += delta;
            (t_ms, value)
        };
        steps.into_iter().map(next).collect()
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(samples in samples()) {
        let chunk = encoded(&samples);
        prop_assert_eq!(chunk.len(), samples.len());
        if !samples.is_empty() {
            prop_assert_eq!(decoded(chunk.bytes()).expect("a whole chunk"), samples);
        }
    }

    #[test]
    fn damaged_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decoded(&bytes);
        if bytes.len() > 1 {
            bytes[0] = 0;
            let _ = decoded(&bytes);
        }
    }

    #[test]
    fn chunk_cut_anywhere_is_corrupt(samples in samples(), cut in any::<prop::sample::Index>()) {
        let chunk = encoded(&samples);
        if samples.len() > 1 {
            let cut = cut.index(chunk.bytes().len());
            prop_assert_eq!(decoded(&chunk.bytes()[..cut]), Err(CorruptChunk));
        }
    }
}

#[test]
fn bits_are_those_of_the_upstream_encoder() {
    // Written by hand from the format's description: count, varint t0, v0, uvarint delta, xor, dod of 0.
    let chunk = encoded(&[(1, 1.0f64.to_bits()), (2, 1.0f64.to_bits()), (3, 2.0f64.to_bits())]);
    let xor = 1.0f64.to_bits() ^ 2.0f64.to_bits();
    assert_eq!((xor.leading_zeros(), xor.trailing_zeros()), (1, 52));
    // 0 (same value), 0 (dod), 11 00001 001011, then the 11 bits 11111111111.
    let tail = [0b0011_0000, 0b1001_0111, 0b1111_1111, 0b1100_0000];
    let mut expected = vec![0, 3, 2];
    expected.extend_from_slice(&1.0f64.to_bits().to_be_bytes());
    expected.push(1);
    expected.extend_from_slice(&tail);
    assert_eq!(chunk.bytes(), expected);
}

#[test]
fn only_samples_within_the_range_are_decoded() {
    let samples: Vec<(i64, u64)> = (0..100).map(|i| (i * 10, i as u64)).collect();
    let chunk = encoded(&samples);
    let mut buffer = SampleBuffer::default();
    decode(chunk.bytes(), 95, 120, &mut buffer).expect("a whole chunk");
    assert_eq!(buffer.t_ms, [100, 110, 120]);
}

/// Unpacks an archive's files: names and contents.
fn unpacked(archive: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    use std::io::Read;
    let file = std::fs::File::open(archive).expect("the archive opens");
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut tar).expect("a gzip file");
    let mut files = Vec::new();
    let mut rest = tar.as_slice();
    while let Some((header, after)) = rest.split_at_checked(512).filter(|(header, _)| header[0] != 0) {
        let text = |range: std::ops::Range<usize>| {
            String::from_utf8_lossy(&header[range]).trim_end_matches(['\0', ' ']).to_owned()
        };
        let size = usize::from_str_radix(&text(124..136), 8).expect("an octal size");
        files.push((text(0..100), after[..size].to_vec()));
        rest = &after[size.next_multiple_of(512)..];
    }
    files
}

/// Takes a segment of chunks apart: encodings and data.
fn chunks_of(segment: &[u8]) -> Vec<(u8, &[u8])> {
    let mut chunks = Vec::new();
    let mut rest = &segment[8..];
    while !rest.is_empty() {
        let mut reader = BitReader::new(rest);
        let len = reader.uvarint().expect("a length") as usize;
        let start = 1 + (len.max(1).ilog2() / 7) as usize;
        chunks.push((rest[start], &rest[start + 1..start + 1 + len]));
        rest = &rest[start + 1 + len + 4..];
    }
    chunks
}

#[test]
fn chunks_that_prometheus_wrote_are_read_and_written_again_bit_for_bit() {
    let Some(folder) = promflow_testkit::conformance("tsdb") else { return };
    let mut seen = 0;
    for archive in ["blocks", "blocks-2.42", "checkpoint", "xor2", "native-histograms-2.42"] {
        for (name, content) in unpacked(&folder.join(format!("{archive}.tar.gz"))) {
            if !name.contains("/chunks/") || content.len() < 8 {
                continue;
            }
            for (_, bytes) in chunks_of(&content).into_iter().filter(|(enc, _)| *enc == ENCODING_XOR) {
                let samples = decoded(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
                let encoded = encoded(&samples);
                // 2.42 opens the next byte early and leaves it empty.
                let opened_early = archive.ends_with("2.42") && bytes.len() == encoded.bytes().len() + 1;
                let bytes = if opened_early { bytes.strip_suffix(&[0]).unwrap_or(bytes) } else { bytes };
                assert_eq!(encoded.bytes(), bytes, "{name}");
                seen += 1;
            }
        }
    }
    assert!(seen > 200, "only {seen} chunks");
}

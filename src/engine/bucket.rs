//! Who is in: the three allocation schemes of design §4, pinned by `tests/spec/` to numbers computed
//! elsewhere. A change here moves real users.

use sha2::{Digest, Sha256};

/// The two buckets of `sha256`, each in 0..10 000: bytes 0–7 of SHA-256(salt, key, feature key) decide the
/// rollout, bytes 8–15 the split, both big-endian (feature-config §2).
pub fn sha256(salt: &str, key: &str, feature: &str) -> (u32, u32) {
    let mut hasher = Sha256::new();
    hasher.update(salt);
    hasher.update(key);
    hasher.update(feature);
    let digest = hasher.finalize();
    let part = |from: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest[from..from + 8]);
        (u64::from_be_bytes(bytes) % 10_000) as u32
    };
    (part(0), part(8))
}

/// The bucket of `murmur3` in 0..1 000 000: floor(murmur3_x86_32(key + id, seed 0) / 2^32 × 1 000 000)
/// (featurehub.md §5.2).
pub fn murmur3(key: &str, id: &str) -> u32 {
    let (key, id) = (key.as_bytes(), id.as_bytes());
    let mut short = [0; 256];
    let hash = match short.get_mut(..key.len() + id.len()) {
        Some(input) => {
            input[..key.len()].copy_from_slice(key);
            input[key.len()..].copy_from_slice(id);
            murmur3_x86_32(input)
        }
        None => murmur3_x86_32(&[key, id].concat()),
    };
    ((u64::from(hash) * 1_000_000) >> 32) as u32
}

fn murmur3_x86_32(input: &[u8]) -> u32 {
    // Reading from a slice cannot fail; the crate's signature is that of any reader.
    murmur3::murmur3_32(&mut std::io::Cursor::new(input), 0).unwrap_or_default()
}

/// The bucket of `crc32` in 0..1000: CRC-32(flag number + entity id) mod 1000 (flagr.md §5).
pub fn crc32(flag_number: &str, entity: &str) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(flag_number.as_bytes());
    hasher.update(entity.as_bytes());
    hasher.finalize() % 1000
}

/// Whether a bucket of the range `low..high` is within the rollout: taken from the low end of each
/// variant's own range, inclusive (flagr.md §5). `percent` is whole.
pub fn crc32_included(bucket: u32, low: u32, high: u32, percent: u32) -> bool {
    match percent {
        0 => false,
        100.. => true,
        _ => 100 * (bucket - low) <= (high - low).saturating_sub(1) * percent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn vectors(name: &str) -> Value {
        let path = format!("{}/../../tests/spec/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).expect("vectors")).expect("JSON")
    }

    fn rows(value: &Value) -> &Vec<Value> {
        value.as_array().expect("rows")
    }

    #[test]
    fn sha256_buckets_are_the_golden_ones() {
        let vectors = vectors("native");
        assert!(rows(&vectors["buckets"]).len() > 20);
        for row in rows(&vectors["buckets"]) {
            let text = |name: &str| row[name].as_str().expect(name);
            let expected = (row["rollout"].as_u64(), row["split"].as_u64());
            let (rollout, split) = sha256(text("salt"), text("key"), text("feature"));
            assert_eq!((Some(rollout.into()), Some(split.into())), expected, "{row}");
        }
        let within =
            (0..100_000).filter(|n| sha256("", &format!("user-{n}"), "gradual_rollout").0 < 1000).count();
        let expected = &vectors["of_100000_users_user-0..user-99999_in_10_percent_of_gradual_rollout"];
        assert_eq!(Some(within as u64), expected.as_u64());
    }

    #[test]
    fn murmur3_buckets_are_those_of_featurehub() {
        let vectors = vectors("featurehub");
        assert!(rows(&vectors["percentage"]).len() > 30);
        for row in rows(&vectors["percentage"]) {
            let bucket = murmur3(row["key"].as_str().expect("key"), row["id"].as_str().expect("id"));
            assert_eq!(Some(bucket.into()), row["bucket"].as_u64(), "{row}");
        }
    }

    #[test]
    fn crc32_buckets_and_rollouts_are_those_of_flagr() {
        let vectors = vectors("flagr");
        for row in rows(&vectors["hash"]) {
            let bucket = crc32(&row["flagID"].to_string(), row["entityID"].as_str().expect("entity"));
            assert_eq!(Some(bucket.into()), row["bucket"].as_u64(), "{row}");
        }
        assert!(rows(&vectors["rollout_rule"]).len() > 400);
        for row in rows(&vectors["rollout_rule"]) {
            let number = |name: &str| row[name].as_u64().expect(name) as u32;
            let (bucket, low, high) = (number("bucket"), number("low"), number("high"));
            let included = bucket >= low && crc32_included(bucket, low, high, number("rolloutPercent"));
            assert_eq!(Some(included), row["in"].as_bool(), "{row}");
        }
    }
}

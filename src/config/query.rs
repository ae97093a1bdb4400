//! The query of an address, `?channel=ID&key=SECRET`, as it is written and as it is read.
//!
//! A driver key may be any line of text, so every value travels percent-encoded, the way a browser's `URLSearchParams`
//! writes it: a blank as `+`, a plus as `%2B`. Whoever writes an address by hand leaves a plus as it is; a key is compared
//! both ways for that.
//!
//! ```text
//!   a b+c%é ──written──▶ a%20b%2Bc%25%C3%A9      a+b%2Bc%25%C3%A9 ──read──▶ a b+c%é
//! ```
//!
//! Promises: what [`written`] makes is read back as it was, for every text; reading is total: a `%` that begins no byte
//! stands for itself.
//! Knows nothing of: what the parameters mean.
//! Sources: RFC 3986 2.1 and 2.3 (percent, unreserved), WHATWG URL 5 (`application/x-www-form-urlencoded`).

use super::Secret;

/// A value that can stand in a query.
#[must_use]
pub fn written(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            text.push('%');
            for half in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(half), 16).unwrap_or_default();
                text.push(digit.to_ascii_uppercase());
            }
        }
    }
    text
}

/// The first value of a parameter.
#[must_use]
pub fn value(query: &str, name: &str) -> Option<String> {
    as_it_stands(query, name).map(|value| read(&value.replace('+', " ")))
}

/// Whether the query has the key: as a browser writes it, or with a plus that means a plus.
#[must_use]
pub fn has_key(query: &str, key: &Secret) -> bool {
    let said = as_it_stands(query, "key").unwrap_or_default();
    // Both are compared, whatever the first says: the time tells nothing.
    key.matches(&read(&said.replace('+', " "))) | key.matches(&read(said))
}

fn as_it_stands<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| read(key) == name)
        .map(|(_, value)| value)
}

/// Percent-decoded. Bytes that are no UTF-8 become U+FFFD, which no value of ours has.
#[must_use]
pub fn read(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let byte = match (first, after) {
            (b'%', &[high, low, ..]) => hex(high).zip(hex(low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        bytes.push(byte.unwrap_or(first));
        rest = after
            .get(if byte.is_some() { 2 } else { 0 }..)
            .unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As `URLSearchParams` writes it. spec: WHATWG URL, application/x-www-form-urlencoded percent-encode set.
    fn by_a_browser(value: &str) -> String {
        let bytes = value.bytes().map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        });
        bytes.collect()
    }

    #[test]
    fn rule_1_the_first_of_a_name_counts_and_unknown_ones_do_not() {
        let query = "a=b&channel=x&brate=800&ktime=100&channel=y";
        assert_eq!(value(query, "channel").as_deref(), Some("x"));
        assert_eq!(value(query, "vcodec"), None);
        assert_eq!(value("ch%61nnel=x%2", "channel").as_deref(), Some("x%2"));
    }

    #[test]
    fn a_percent_that_begins_no_byte_stands_for_itself() {
        for (text, wanted) in [
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("%%41", "%A"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(value(&format!("k={text}"), "k").as_deref(), Some(wanted));
        }
    }

    #[test]
    fn each_character_of_ascii_and_some_others_gets_through_both_ways() {
        let odd = "äß€日本🏎\u{301}\u{a0}";
        for c in (' '..='~').chain(odd.chars()) {
            let text = format!("12345678{c}x{c}");
            for query in [written(&text), by_a_browser(&text)] {
                let query = format!("channel=c&key={query}&b=1");
                assert_eq!(value(&query, "key").as_ref(), Some(&text));
                assert!(has_key(&query, &Secret::new(text.as_str())), "{query}");
                assert!(!has_key(&query, &Secret::new("12345678")), "{query}");
            }
        }
        assert!(has_key("key=ab+c/d==", &Secret::new("ab+c/d==")));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in any::<String>()) {
            for query in [written(&text), by_a_browser(&text)] {
                prop_assert!(query.is_ascii());
                prop_assert_eq!(value(&format!("a=1&v={query}&b=2"), "v"), Some(text.clone()));
            }
        }

        #[test]
        fn reading_is_total(query in any::<String>()) {
            let _ = value(&query, "key"); // it returns
        }
    }
}

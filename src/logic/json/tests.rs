//! The grammar of RFC 8259, its edges, and what is refused with which word.

use super::*;

fn refused(text: &str) -> Reject {
    one_group(text).expect_err(text)
}

fn field<'a>(text: &'a str, name: &str) -> Result<Value<'a>, Reject> {
    match one_group(text)?.1 {
        Value::Object(fields) => fields.get(name),
        Value::Number(_) | Value::Text(_) | Value::Other => Err(Reject::NotAnObject),
    }
}

#[test]
fn one_group_with_its_value() {
    assert_eq!(one_group(r#"{"a":1}"#), Ok(("a", Value::Number("1"))));
    assert_eq!(
        one_group(" \t\r\n{ \"a\" : \"b\" } \n"),
        Ok(("a", Value::Text("b")))
    );
    assert_eq!(one_group(r#"{"":null}"#), Ok(("", Value::Other)));
    for other in ["true", "false", "null", "[]", "[1,[2],{}]", "[ ]"] {
        assert_eq!(
            one_group(&format!("{{\"a\":{other}}}")),
            Ok(("a", Value::Other))
        );
    }
    assert!(matches!(
        one_group(r#"{"a":{}}"#),
        Ok(("a", Value::Object(_)))
    ));
}

#[test]
fn anything_but_one_group_is_refused() {
    for text in [
        "{}",
        r#"{"a":1,"b":2}"#,
        r#"{"a":1,"a":1}"#,
        "[]",
        "1",
        "null",
        "\"a\"",
        "[1,2]",
    ] {
        assert_eq!(refused(text), Reject::NotOneGroup, "{text}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "{]",
        "[}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        "{a:1}",
        "{'a':1}",
        r#"{"a":1}x"#,
        r#"{"a":1}{"a":1}"#,
        r#"{"a" 1}"#,
        r#"{"a":1 "b":2}"#,
        "{1:1}",
        r#"{"a":tru}"#,
        r#"{"a":nul}"#,
        r#"{"a":True}"#,
        r#"{"a":NaN}"#,
        r#"{"a":Infinity}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[,1]}"#,
        r#"{"a":[1 2]}"#,
        r#"{"a":[1}"#,
        "{\"a\":\"\n\"}",
        "{\"a\":\"\u{0}\"}",
        r#"{"a":"#,
        r#"{"a":""#,
        r#"{"a":"\"}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12"}"#,
        r#"{"a":"\u12g4"}"#,
        "{\"a\":1\u{b}}",
        "\u{feff}{\"a\":1}",
        "// {}",
        r#"{"a":1/**/}"#,
    ] {
        assert_eq!(refused(text), Reject::NotJson, "{text:?}");
    }
}

#[test]
fn numbers_are_those_of_the_grammar() {
    for number in [
        "0", "-0", "7", "-7", "10", "0.5", "-0.5", "1e5", "1E+5", "1.25e-7", "1e400", "0e0",
    ] {
        let text = format!("{{\"a\":{number}}}");
        assert_eq!(one_group(&text), Ok(("a", Value::Number(number))));
    }
    for number in [
        "+5", "05", "-05", ".5", "5.", "-", "1e", "1e+", "0x10", "1_000", "--1", "1.e5", "1..2",
        "00",
    ] {
        assert_eq!(
            refused(&format!("{{\"a\":{number}}}")),
            Reject::NotJson,
            "{number}"
        );
    }
}

#[test]
fn strings_keep_their_escapes_as_written() {
    let text = r#"{"a":"\"\\\/\b\f\n\r\t\u00e9 é"}"#;
    assert_eq!(
        one_group(text),
        Ok(("a", Value::Text(r#"\"\\\/\b\f\n\r\t\u00e9 é"#)))
    );
    // A name in escapes is another name: nobody writes one, and two spellings of `stop` are one too many.
    assert_eq!(
        one_group(r#"{"\u0061":1}"#),
        Ok((r"\u0061", Value::Number("1")))
    );
}

#[test]
fn fields_are_found_by_name_wherever_they_stand() {
    let text = r#"{"g":{ "x" : 1 , "y":"two","z":[3],"inner":{"x":9}}}"#;
    assert_eq!(field(text, "x"), Ok(Value::Number("1")));
    assert_eq!(field(text, "y"), Ok(Value::Text("two")));
    assert_eq!(field(text, "z"), Ok(Value::Other));
    assert_eq!(field(text, "w"), Err(Reject::Missing));
    assert_eq!(field(r#"{"g":{}}"#, "x"), Err(Reject::Missing));
    assert_eq!(
        field(r#"{"g":{"x":1,"y":2,"x":1}}"#, "x"),
        Err(Reject::Duplicate)
    );
    assert_eq!(
        field(r#"{"g":{"x":1,"y":2,"x":1}}"#, "y"),
        Ok(Value::Number("2"))
    );
}

#[test]
fn an_unknown_field_is_checked_before_it_is_passed_over() {
    assert_eq!(refused(r#"{"g":{"x":1,"later":[1,2}}"#), Reject::NotJson);
    assert_eq!(refused(r#"{"g":{"x":1,"later":nil}}"#), Reject::NotJson);
}

#[test]
fn nesting_ends_at_the_limit_and_costs_no_stack() {
    let nested = |levels: usize| format!("{{\"g\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let deepest = usize::from(MAX_DEPTH) - 1; // the object around it is one level
    assert!(one_group(&nested(deepest)).is_ok());
    assert_eq!(refused(&nested(deepest + 1)), Reject::TooDeep);
    assert_eq!(refused(&"[".repeat(100_000)), Reject::TooDeep);
    assert_eq!(refused(&"{\"a\":".repeat(100_000)), Reject::TooDeep);
}

#[test]
fn every_cut_of_a_good_message_is_refused_and_none_panics() {
    let text = r#"{"drive":{"seq":12,"t_ms":1.5e3,"s":"\u00e9é","a":[true,false,null],"o":{}}}"#;
    assert!(one_group(text).is_ok());
    for (end, _) in text.char_indices() {
        let cut = text.get(..end).unwrap();
        assert_eq!(refused(cut), Reject::NotJson, "{cut}");
    }
}

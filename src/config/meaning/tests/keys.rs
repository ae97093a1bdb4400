//! Keys of a Spider and of a car: which go together, and which are too short for what they are for.

use super::*;

const ALL: &str = "local.driver_key_file = '/driver.key'\nlocal.watch_key_file = '/watch.key'\n\
                   local.calibrate_key_file = '/calibrate.key'\nlocal.publish_key_file = '/publish.key'\n";

fn told(text: &str) -> String {
    let raw_shelf = shelf(text)
        .file("/watch.key", "only for eyes\n")
        .file("/calibrate.key", "wheels up!\n")
        .file("/publish.key", "I am the car\n")
        .file("/seal.key", "k7p2m-0000a-bcdef-ghjkm-npqrs\n")
        .file("/seal2.key", "k7p2m-0000a-bcdef-ghjkm-npqrt\n");
    let raw = RawConfig::read(&Source::File("car.toml".into()), &[], &raw_shelf);
    match Config::from_raw(&raw, &raw_shelf) {
        Ok(_) => String::new(),
        Err(report) => report.to_string(),
    }
}

#[test]
fn each_right_may_have_a_key_and_a_publisher_alone_its_own() {
    assert_eq!(told(ALL), "");
    assert_eq!(told("local.publish_key_file = '/publish.key'"), "");
    for key in ["watch", "calibrate"] {
        let alone = told(&format!("local.{key}_key_file = '/{key}.key'"));
        assert!(alone.contains("everybody may drive"), "{alone}");
    }
}

#[test]
fn one_key_for_two_rights_is_a_mistake() {
    let same = told("local.driver_key_file = '/driver.key'\nlocal.watch_key_file = '/driver.key'");
    assert!(same.contains("the same key is in both files"), "{same}");
    let gone = told("local.driver_key_file = '/gone'\nlocal.watch_key_file = '/watch.key'");
    assert!(
        !gone.contains("everybody may drive"),
        "a consequence: {gone}"
    );
}

#[test]
fn a_seal_is_long_and_calibrators_have_one_only_if_drivers_do() {
    assert_eq!(told("spider.seal_key_file = '/seal.key'"), "");
    let both = "spider.seal_key_file = '/seal.key'\nspider.calibrate_seal_key_file = '/seal2.key'";
    assert_eq!(told(both), "");
    let short = told("spider.seal_key_file = '/driver.key'");
    assert!(short.contains("spidercar key FILE"), "{short}");
    let alone = told("spider.calibrate_seal_key_file = '/seal.key'");
    assert!(alone.contains("no command needs a seal"), "{alone}");
}

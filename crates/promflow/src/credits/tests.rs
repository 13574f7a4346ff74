use promflow_registry::Format;

use super::*;

fn page(registry: &Registry) -> String {
    String::from_utf8(registry.encode(Format::Text)).unwrap()
}

fn has(page: &str, line: &str) {
    assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
}

fn series<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    page.lines().filter(|line| line.starts_with(&format!("{name}{{"))).collect()
}

#[test]
fn every_account_is_in_one_bucket() {
    let registry = Registry::new();
    let voice = CreditType::new(&registry, "voice", 20.0);
    let accounts = |bucket| voice.credits.accounts().with(&["voice", bucket]).value();
    voice.opened("ann", 100.0);
    voice.opened("bob", 5.0);
    assert_eq!((accounts("zero"), accounts("low"), accounts("ok")), (0.0, 1.0, 1.0));
    voice.changed("ann", 100.0, 19.0);
    voice.changed("bob", 5.0, 0.0);
    assert_eq!((accounts("zero"), accounts("low"), accounts("ok")), (1.0, 1.0, 0.0));
    has(&page(&registry), r#"credits_remaining{user="ann",type="voice"} 19"#);
    voice.closed("ann", 19.0);
    assert_eq!((accounts("zero"), accounts("low"), accounts("ok")), (1.0, 0.0, 0.0));
    let page = page(&registry);
    assert!(!page.contains(r#"credits_remaining{user="ann""#), "{page}");
    has(&page, r#"credits_used_total{user="ann",type="voice"} 0"#);
}

#[test]
fn largest_users_and_lowest_accounts_are_shown_and_all_accounts_are_counted() {
    let registry = Registry::new();
    let credits = Credits::with_users(&registry, &Users::Ranked(10)).unwrap();
    let (voice, api) = (credits.of_type("voice", 20.0), credits.of_type("api", 20.0));
    let mut used = 0.0;
    for user in 0..5000 {
        let name = format!("u{user}");
        voice.opened(&name, 100.0);
        api.opened(&name, 10.0);
        let amount = if user == 4321 { 70.0 } else { 2.0 };
        // The accounts that run low are some of the last.
        voice.changed(&name, 100.0, if user >= 4995 { 5.0 - f64::from(5000 - user) } else { 98.0 });
        voice.used(&name, amount);
        used += amount;
    }
    for _ in 0..20 {
        voice.used("u17", 100.0);
        used += 100.0;
    }
    let page = page(&registry);
    let voice_used: Vec<_> =
        series(&page, "credits_used_total").into_iter().filter(|l| l.contains("voice")).collect();
    assert!(voice_used.len() <= 11, "{voice_used:?}");
    let sum: f64 =
        voice_used.iter().map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum();
    assert_eq!(sum, used);
    assert!(voice_used.iter().any(|line| line.contains("u17")), "{voice_used:?}");
    for (user, left) in [(4995, 0.0), (4996, 1.0), (4999, 4.0)] {
        has(&page, &format!(r#"credits_remaining{{user="u{user}",type="voice"}} {left}"#));
    }
    assert_eq!(series(&page, "credits_remaining").len(), 20);
    has(&page, r#"credits_accounts{type="voice",bucket="zero"} 1"#);
    has(&page, r#"credits_accounts{type="voice",bucket="low"} 4"#);
    has(&page, r#"credits_accounts{type="voice",bucket="ok"} 4995"#);
    has(&page, r#"credits_accounts{type="api",bucket="low"} 5000"#);
}

#[test]
fn users_who_are_not_listed_share_one() {
    let registry = Registry::new();
    let users = Users::Allowed(vec!["ann".to_owned()]);
    let voice = Credits::with_users(&registry, &users).unwrap().of_type("voice", 20.0);
    for (user, remaining) in [("ann", 50.0), ("bob", 10.0), ("eve", 30.0)] {
        voice.opened(user, remaining);
        voice.used(user, 4.0);
        voice.changed(user, remaining, remaining - 4.0);
    }
    voice.closed("eve", 26.0);
    // Whoever registers later finds the same.
    Credits::new(&registry).count_used("ann", "voice", 1.0);
    let page = page(&registry);
    for line in [
        r#"credits_used_total{user="ann",type="voice"} 5"#,
        r#"credits_used_total{user="__other__",type="voice"} 8"#,
        r#"credits_remaining{user="ann",type="voice"} 46"#,
        r#"credits_remaining{user="__other__",type="voice"} 6"#,
        r#"credits_accounts{type="voice",bucket="low"} 1"#,
    ] {
        has(&page, line);
    }
    assert!(!page.contains("bob") && !page.contains("eve"), "{page}");
    Credits::with_users(&registry, &Users::Ranked(5)).unwrap_err();
}

#[test]
fn users_are_hashed_into_buckets() {
    let registry = Registry::new();
    let voice = Credits::with_users(&registry, &Users::Hashed(8)).unwrap().of_type("voice", 20.0);
    for user in 0..1000 {
        voice.opened(&user.to_string(), 50.0);
        voice.used(&user.to_string(), 1.5);
    }
    let page = page(&registry);
    for (name, total) in [("credits_used_total", 1500.0), ("credits_remaining", 50_000.0)] {
        let series = series(&page, name);
        assert_eq!(series.len(), 8);
        let sum: f64 =
            series.iter().map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum();
        assert_eq!(sum, total);
    }
    has(&page, r#"credits_accounts{type="voice",bucket="ok"} 1000"#);
}

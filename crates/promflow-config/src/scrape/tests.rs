use super::read::parse_target_groups;

#[test]
fn target_files_are_read_as_yaml_and_as_json() {
    let yaml = "- targets: [a:1, b:2]\n  labels: {env: prod, code: 7}\n- targets: []\n";
    let groups = parse_target_groups(yaml, "t.yml").unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert_eq!(groups.len(), 2);
    assert_eq!(groups[0].targets[1].get("__address__"), "b:2");
    assert_eq!(groups[0].labels.to_string(), r#"{code="7", env="prod"}"#);
    assert_eq!(groups[1].source, "t.yml:1");
    let json = "[\n\t{\n\t\t\"targets\": [\"a:1\"],\n\t\t\"labels\": {\"env\": \"a/b\"}\n\t}\n]\n";
    let groups = parse_target_groups(json, "t.json").unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert_eq!(groups[0].labels.get("env"), "a/b");
    assert!(parse_target_groups("", "t.yml").is_ok_and(|groups| groups.is_empty()));
}

#[test]
fn faulty_target_files_are_refused_at_their_place() {
    for (text, path, expected) in [
        ("- target: [a]\n", "t.yml", "t.yml:1:3: field target not found in type targetgroup.Group"),
        ("[{\n\t\"targets\": 5}]", "t.json", "t.json:2:13: cannot unmarshal !!str into []string"),
        ("- targets: [a]\n  labels: {\"\": x}\n", "t.yml", "t.yml:2:12: \"\" is not a valid label name"),
        ("targets: [a]\n", "t.yml", "t.yml:1:1: cannot unmarshal !!map into []*targetgroup.Group"),
        ("- targets: [a]\n- \n", "t.yml", "nil target group item found (index 1)"),
        ("[{\"targets\": [\"a\"}]", "t.json", "t.json:1:"),
    ] {
        let errors = parse_target_groups(text, path).expect_err(text);
        assert!(errors[0].to_string().contains(expected), "{text}: {}", errors[0]);
    }
}

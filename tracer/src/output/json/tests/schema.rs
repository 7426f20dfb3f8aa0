//! Real output is valid against `docs/schema/tracer-2.schema.json`, and both the schema and
//! `docs/json.md` describe exactly the codes of the core.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use expect_test::expect_file;
use serde_json::{Value, json};
use tracer_core::{AttachFailure, AttachMethod, CallSiteReason, Confidence, Verdict};

use super::{
    super::{
        coded::{Coded, Field},
        coverage::{ProbeObject, attach_failure, call_site_reason, fallback_reason, limit, note},
        document, evidence,
    },
    fixture,
    validator::{SCHEMA, Validator, codes},
};
use crate::{
    commands::replay,
    compare::{Difference, Side},
    output::words::tests::examples,
    recording::Recording,
};

/// The first generated line of the schema.
const GENERATED: &str = "    \"evidence_fields\": {";

/// One example of each code of a kind.
fn each_code(facts: impl IntoIterator<Item = Coded>) -> Vec<Coded> {
    let mut seen = BTreeSet::new();
    facts.into_iter().filter(|fact| seen.insert(fact.code)).collect()
}

/// All kinds of coded facts: the definition in the schema, and an example of each code.
fn kinds() -> Vec<(&'static str, Vec<Coded>)> {
    let own_reasons = examples::call_site_reasons();
    let own_reasons = own_reasons.iter().filter(|it| !matches!(it, CallSiteReason::Process(_)));
    let failures = examples::attach_errors()
        .into_iter()
        .map(|error| attach_failure(&AttachFailure { method: AttachMethod::Fexit, error }));
    let fallback = examples::fallback_reasons();
    vec![
        ("evidence", each_code(examples::evidence().iter().map(evidence::evidence))),
        ("caveat", each_code(examples::caveats().iter().map(evidence::caveat))),
        ("note", each_code(examples::notes().iter().map(note))),
        ("call_site_reason", each_code(own_reasons.map(call_site_reason))),
        ("limit", each_code(examples::limits().iter().map(limit))),
        ("attach_failure", each_code(failures)),
        ("fallback_reason", each_code(fallback.iter().map(fallback_reason))),
    ]
}

fn field_schema(code: &str, name: &str, field: &Field) -> Value {
    match field {
        Field::Integer(_) => json!({"type": "integer", "minimum": 0}),
        Field::Seconds(_) => json!({"type": "number"}),
        Field::Flag(_) => json!({"type": "boolean"}),
        Field::Text(_) => json!({"type": "string"}),
        Field::Nullable(_) => json!({"type": ["string", "null"]}),
        Field::Counted(_) => json!({"type": "array", "items": {"$ref": "#/$defs/counted"}}),
        Field::Object(_) => {
            let definition = match (code, name) {
                ("without-kernel-programs", _) => "fallback_reason",
                (_, "reason") => "call_site_reason",
                _ => "limit",
            };
            json!({"$ref": format!("#/$defs/{definition}")})
        }
    }
}

/// The definition of a kind's fields by code.
fn fields_definition(kind: &str, facts: &[Coded]) -> String {
    let cases = facts.iter().map(|Coded { code, fields, .. }| {
        let condition = json!({"properties": {"code": {"const": code}}});
        if fields.is_empty() {
            return format!("        {{\"if\": {condition}}}");
        }
        let properties = fields.iter().map(|(name, field)| {
            format!("              \"{name}\": {}", field_schema(code, name, field))
        });
        let properties = properties.collect::<Vec<_>>().join(",\n");
        let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        format!(
            "        {{\n          \"if\": {condition},\n          \"then\": {{\n            \
             \"properties\": {{\n{properties}\n            }},\n            \"required\": {}\n          \
             }}\n        }}",
            json!(required)
        )
    });
    let cases = cases.collect::<Vec<_>>().join(",\n");
    format!("    \"{kind}_fields\": {{\n      \"allOf\": [\n{cases}\n      ]\n    }}")
}

#[test]
fn the_schema_describes_the_codes_of_the_core() {
    let (by_hand, _) = SCHEMA.split_once(GENERATED).unwrap();
    let generated =
        kinds().iter().map(|(kind, facts)| fields_definition(kind, facts)).collect::<Vec<_>>();
    expect_file!["../../../../../docs/schema/tracer-2.schema.json"]
        .assert_eq(&format!("{by_hand}{}\n  }}\n}}\n", generated.join(",\n")));
}

#[test]
fn every_example_of_a_code_is_valid() {
    for (kind, facts) in kinds() {
        let validator = Validator::strict(kind);
        for fact in facts {
            validator.check(&serde_json::to_value(fact).unwrap());
        }
    }
    let reason = Validator::strict("call_site_reason");
    for fact in examples::call_site_reasons() {
        reason.check(&serde_json::to_value(call_site_reason(&fact)).unwrap());
    }
    let probe = Validator::strict("probe");
    for fact in examples::probes() {
        probe.check(&serde_json::to_value(ProbeObject::new(&fact)).unwrap());
    }
}

/// A field of schema 2 that a script may rely on is in every document, and must not be removed.
#[test]
fn required_fields_of_schema_2_stay() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut text = String::new();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        let required = definition["required"].as_array().into_iter().flatten();
        let required: Vec<&str> = required.filter_map(Value::as_str).collect();
        if !required.is_empty() {
            writeln!(text, "{name}: {}", required.join(" ")).unwrap();
        }
    }
    // Lines may be added here, and words to a line; none may be removed.
    expect_file!["required_fields.txt"].assert_eq(&text);
}

#[test]
fn verdicts_are_listed() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let listed = schema["$defs"]["verdict"]["examples"].clone();
    assert_eq!(listed, json!(examples::VERDICTS.map(Verdict::name)));
}

#[test]
fn fixtures_are_valid() {
    let validator = Validator::strict("report");
    let mut incomplete = fixture::incomplete();
    incomplete.coverage.notes = examples::notes();
    incomplete.coverage.probes = examples::probes();
    let mut everything = fixture::report(vec![fixture::multiplexed(1), fixture::inbound(2)]);
    everything.findings[0].evidence = examples::evidence();
    everything.findings[1].caveats = examples::caveats();
    let reports = [
        fixture::report(Vec::new()),
        fixture::mixed(),
        fixture::hostile(),
        fixture::grown(),
        incomplete,
        everything,
    ];
    for report in reports {
        let document = document(&report, &fixture::context()).unwrap();
        validator.check(&serde_json::from_str(&document).unwrap());
    }
}

#[test]
fn replays_of_all_recordings_are_valid() {
    let validator = Validator::strict("report");
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings");
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rec") {
            continue;
        }
        let recording = Recording::open(&path).unwrap();
        let head = recording.head().clone();
        let report = replay::rerun(recording, head.options, None, |_, _| {}).unwrap().report;
        let text = document(&report, &replay::context(&head)).unwrap();
        validator.check(&serde_json::from_str(&text).unwrap());
        count += 1;
    }
    assert!(count >= 4, "{count}");
}

#[test]
fn differences_are_valid() {
    let validator = Validator::strict("diff");
    let mixed = document(&fixture::mixed(), &fixture::context()).unwrap();
    let incomplete = document(&fixture::incomplete(), &fixture::context()).unwrap();
    for (before, after) in [(&mixed, &incomplete), (&incomplete, &mixed), (&mixed, &mixed)] {
        let [before, after] = [before, after].map(|text| Side::parse(text).unwrap());
        let difference = Difference::between(before, after, Confidence::Possible);
        assert!(!difference.changes.is_empty());
        validator.check(&serde_json::to_value(&difference).unwrap());
    }
}

/// The other tests rely on this.
#[test]
fn strict_validation_finds_what_is_not_described() {
    let text = document(&fixture::mixed(), &fixture::context()).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    document["findings"][0]["evidence"][0]["new_number"] = json!(1);
    document["findings"][0]["new_field"] = json!(1);
    document["coverage"]["notes"] = json!([{"code": "new-code", "text": "new"}]);
    assert_eq!(Validator::lenient("report").complaint(&document), None);
    let strict = Validator::strict("report");
    let complaint = strict.complaint(&document).unwrap();
    for name in ["new_number", "new_field", "/coverage/notes/0/code"] {
        assert!(complaint.contains(name), "{name} is not in {complaint}");
    }
    document["findings"][0]["evidence"][0]["count"] = json!("many");
    assert!(Validator::lenient("report").complaint(&document).is_some());
}

#[test]
fn every_definition_of_codes_is_of_a_kind() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (kind, facts) in kinds() {
        let listed = codes(&schema, kind);
        assert!(facts.iter().all(|fact| listed.contains(fact.code)), "{kind}: {listed:?}");
    }
}

/// The table of a kind in `docs/json.md`.
fn table(facts: &[Coded]) -> String {
    let mut table = "| code | fields | example of `text` |\n| --- | --- | --- |\n".to_owned();
    for Coded { code, text, fields } in facts {
        let names = fields.iter().map(|(name, field)| match field {
            Field::Nullable(_) => format!("`{name}` (nullable)"),
            _ => format!("`{name}`"),
        });
        let names = names.collect::<Vec<_>>().join(", ");
        writeln!(table, "| `{code}` | {names} | {} |", text.replace('|', "\\|")).unwrap();
    }
    table
}

#[test]
fn the_page_lists_the_codes_of_the_core() {
    let mut page = include_str!("../../../../../docs/json.md").to_owned();
    for (kind, facts) in kinds() {
        let (start, end) = (format!("<!-- codes: {kind} -->\n"), "<!-- end -->");
        let from = page.find(&start).expect(kind) + start.len();
        let to = from + page[from..].find(end).expect(kind);
        page.replace_range(from..to, &format!("\n{}\n", table(&facts)));
    }
    expect_file!["../../../../../docs/json.md"].assert_eq(&page);
}

/// The fields of an object according to the tables of `docs/json.md`, with whether each can be
/// `null`. A row can describe several fields.
fn documented(page: &str, heading: &str) -> BTreeSet<(String, bool)> {
    let (_, section) = page.split_once(&format!("\n{heading}\n")).expect(heading);
    let mut fields = BTreeSet::new();
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).skip(2);
    for row in rows.take_while(|line| line.starts_with('|')) {
        let mut cells = row.trim_matches('|').split('|');
        let (names, kind) = (cells.next().unwrap(), cells.next().unwrap());
        let names = names.split('`').skip(1).step_by(2);
        fields.extend(names.map(|name| (name.to_owned(), kind.contains("nullable"))));
    }
    fields
}

fn described(schema: &Value, definition: &str) -> BTreeSet<(String, bool)> {
    let properties = schema["$defs"][definition]["properties"].as_object().unwrap();
    let is_nullable = |property: &Value| property.to_string().contains("null");
    properties.iter().map(|(name, property)| (name.clone(), is_nullable(property))).collect()
}

#[test]
fn the_page_describes_the_fields_of_the_schema() {
    let page = include_str!("../../../../../docs/json.md");
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (heading, definition) in [
        ("## The document", "report"),
        ("## Thresholds", "thresholds"),
        ("## Selection", "selection"),
        ("## Findings", "finding"),
        ("## Connections", "connection"),
        ("## Owners", "owner"),
        ("## Processes", "process"),
        ("## Coverage", "coverage"),
        ("### Probes", "probe"),
        ("## Finding events", "finding_event"),
    ] {
        assert_eq!(documented(page, heading), described(&schema, definition), "{heading}");
    }
}

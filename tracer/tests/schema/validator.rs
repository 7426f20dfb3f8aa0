//! Strict validation against `docs/schema/tracer-2.schema.json`. The schema permits fields and
//! codes that it does not describe, because later versions may add some; here, everything that is
//! emitted must be described.

use std::collections::BTreeSet;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::{Value, json};

/// The schema as it is in the repository.
pub(crate) const SCHEMA: &str = include_str!("../../../docs/schema/tracer-2.schema.json");

/// A compiled definition of the schema.
pub(crate) struct Validator {
    schemas: Schemas,
    definition: SchemaIndex,
}

impl Validator {
    /// For a definition such as `report`.
    pub(crate) fn strict(definition: &str) -> Self {
        let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
        make_strict(&mut schema);
        Self::compile(schema, definition)
    }

    /// Validates like a user of the schema.
    #[allow(dead_code, reason = "the end-to-end tests validate strictly only")]
    pub(crate) fn lenient(definition: &str) -> Self {
        Self::compile(serde_json::from_str(SCHEMA).unwrap(), definition)
    }

    fn compile(schema: Value, definition: &str) -> Self {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.add_resource("tracer-2.schema.json", schema).unwrap();
        let location = format!("tracer-2.schema.json#/$defs/{definition}");
        let definition = compiler.compile(&location, &mut schemas).unwrap();
        Self { schemas, definition }
    }

    /// Why a document is not valid.
    pub(crate) fn complaint(&self, document: &Value) -> Option<String> {
        let error = self.schemas.validate(document, self.definition).err()?;
        Some(format!("{error:#}\n{document:#}"))
    }

    /// # Panics
    /// The document is not valid.
    #[track_caller]
    pub(crate) fn check(&self, document: &Value) {
        if let Some(complaint) = self.complaint(document) {
            panic!("{complaint}");
        }
    }
}

/// The codes that a definition such as `evidence` describes.
pub(crate) fn codes(schema: &Value, definition: &str) -> BTreeSet<String> {
    let parts = schema["$defs"][definition]["allOf"].as_array().into_iter().flatten();
    let names = parts.filter_map(|part| part["$ref"].as_str()?.strip_prefix("#/$defs/"));
    let cases = names.filter_map(|name| schema["$defs"][name]["allOf"].as_array()).flatten();
    let codes = cases.filter_map(|case| case["if"]["properties"]["code"]["const"].as_str());
    codes.map(str::to_owned).collect()
}

/// Forbids fields and codes that are not described.
fn make_strict(schema: &mut Value) {
    let described = schema.clone();
    let definitions = schema["$defs"].as_object_mut().unwrap();
    for (name, definition) in definitions {
        let codes = codes(&described, name);
        if !codes.is_empty() {
            definition["properties"]["code"]["enum"] = json!(codes);
            definition["unevaluatedProperties"] = json!(false);
        } else if definition["properties"].is_object() {
            definition["additionalProperties"] = json!(false);
        } else if definition["examples"].is_array() {
            definition["enum"] = definition["examples"].clone();
        }
    }
}

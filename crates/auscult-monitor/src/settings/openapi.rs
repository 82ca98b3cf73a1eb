//! The form of a target in the OpenAPI document, from the tables.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, Schema, SchemaType};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Type};
use utoipa::{PartialSchema, ToSchema};

use super::node::{Quoted, Scalar};
use super::scalar;
use super::schema::{Edge, Key, Kind, Preset, TARGET, Table};
use super::section::Value;
use super::target::TargetSpec;

impl PartialSchema for TargetSpec {
    fn schema() -> RefOr<Schema> {
        of_table(&TARGET)
    }
}

impl ToSchema for TargetSpec {
    fn name() -> Cow<'static, str> {
        TARGET.component.into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        collect(&TARGET, schemas);
    }
}

/// The tables below `table`, each once.
fn collect(table: &'static Table, schemas: &mut Vec<(String, RefOr<Schema>)>) {
    for key in table.keys() {
        let (Kind::Section(below) | Kind::List(below)) = &key.kind else {
            continue;
        };
        if schemas.iter().all(|(name, _)| name != below.component) {
            schemas.push((below.component.into(), of_table(below)));
            collect(below, schemas);
        }
    }
}

fn of_table(table: &'static Table) -> RefOr<Schema> {
    let doc = (!table.doc.is_empty()).then_some(table.doc);
    let mut object = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(doc);
    for key in table.keys() {
        object = object.property(key.name, of_key(key));
        if matches!(key.preset, Preset::Required) {
            object = object.required(key.name);
        }
    }
    object
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .build()
        .into()
}

fn of_key(key: &'static Key) -> RefOr<Schema> {
    let items = match &key.kind {
        Kind::Section(table) => return Ref::from_schema_name(table.component).into(),
        Kind::List(table) => Some(Ref::from_schema_name(table.component).into()),
        Kind::Statuses => {
            let either = SchemaType::from_iter([Type::String, Type::Integer]);
            Some(RefOr::<Schema>::from(
                ObjectBuilder::new().schema_type(either).build(),
            ))
        }
        Kind::Names | Kind::Words => Some(RefOr::<Schema>::from(
            ObjectBuilder::new().schema_type(Type::String).build(),
        )),
        Kind::Duration { .. }
        | Kind::Millis { .. }
        | Kind::Time
        | Kind::Count { .. }
        | Kind::CountOr { .. }
        | Kind::Number { .. }
        | Kind::Flag
        | Kind::Choice(_)
        | Kind::Name
        | Kind::Text { .. }
        | Kind::Url
        | Kind::Path
        | Kind::Pattern
        | Kind::Labels
        | Kind::Headers
        | Kind::Variables => None,
    };
    let doc = match key.preset {
        Preset::Rule(rule) => format!("{} Default: {rule}.", key.doc),
        Preset::Required | Preset::Nothing | Preset::Value(_) => key.doc.to_owned(),
    };
    match items {
        Some(items) => ArrayBuilder::new()
            .items(items)
            .description(Some(doc))
            .build()
            .into(),
        None => {
            let value = single(&key.kind, key).description(Some(doc));
            value.default(preset(key)).build().into()
        }
    }
}

/// A kind that is no list and no mapping with a table.
fn single(kind: &Kind, key: &Key) -> ObjectBuilder {
    let of = |single: Type| match key.preset {
        Preset::Nothing => nullable(single),
        Preset::Required | Preset::Value(_) | Preset::Rule(_) => single.into(),
    };
    let object = ObjectBuilder::new();
    match kind {
        Kind::Duration { .. } => object
            .schema_type(of(Type::String))
            .examples(["500ms", "1h30m"]),
        Kind::Millis { min, max } | Kind::Count { min, max } => object
            .schema_type(of(Type::Integer))
            .minimum(Some(*min as f64))
            .maximum(Some(*max as f64)),
        Kind::CountOr { min, max, word } => object
            .schema_type(SchemaType::from_iter([Type::Integer, Type::String]))
            .minimum(Some(*min as f64))
            .maximum(Some(*max as f64))
            .pattern(Some(format!("^{word}$"))),
        Kind::Number { min, max, edge } => {
            let object = object.schema_type(of(Type::Number)).maximum(Some(*max));
            match edge {
                Edge::Included => object.minimum(Some(*min)),
                Edge::Excluded => object.exclusive_minimum(Some(*min)),
            }
        }
        Kind::Flag => object.schema_type(of(Type::Boolean)),
        Kind::Choice(words) => object
            .schema_type(of(Type::String))
            .enum_values(Some(words.iter().copied())),
        Kind::Text { bytes_max } => object
            .schema_type(of(Type::String))
            .max_length(Some(*bytes_max)),
        Kind::Labels | Kind::Headers | Kind::Variables => {
            let text = ObjectBuilder::new().schema_type(nullable(Type::String));
            object
                .schema_type(Type::Object)
                .additional_properties(Some(AdditionalProperties::from(text)))
        }
        Kind::Name
        | Kind::Url
        | Kind::Path
        | Kind::Pattern
        | Kind::Statuses
        | Kind::Names
        | Kind::Words
        | Kind::Time
        | Kind::Section(_)
        | Kind::List(_) => object.schema_type(of(Type::String)),
    }
}

fn nullable(single: Type) -> SchemaType {
    SchemaType::from_iter([single, Type::Null])
}

fn preset(key: &Key) -> Option<serde_json::Value> {
    let Preset::Value(text) = key.preset else {
        return None;
    };
    let scalar = Scalar {
        text: text.to_owned(),
        quoted: Quoted::No,
    };
    // Numbers and flags are written as such, everything else as text.
    let read = scalar::read(&key.kind, &scalar);
    let json = match read.ok()? {
        Value::Count(_) | Value::Number(_) | Value::Flag(_) => serde_json::from_str(text).ok()?,
        Value::Invalid
        | Value::Nothing
        | Value::Duration(_)
        | Value::Word(_)
        | Value::Text(_)
        | Value::Path(_)
        | Value::Url(_)
        | Value::Pattern(_)
        | Value::Statuses(_)
        | Value::Texts(_)
        | Value::Names(_)
        | Value::Time(_)
        | Value::Section(_)
        | Value::List(_) => text.into(),
    };
    Some(json)
}

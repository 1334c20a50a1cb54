//! Prisma: `prisma generate` makes a client in `node_modules` from the schema.
//!
//! Goes in: the package that it runs in. Comes out: the files it reads. Invariant: a generator that may write
//! anywhere else than into `node_modules` is a reason.

use super::node::Package;
use super::{Needs, Project, join, text};
use crate::footprint::PathClaim;
use serde_json::Value;

const CONFIGS: [&str; 10] = [
    "prisma.config.ts",
    "prisma.config.js",
    "prisma.config.mjs",
    "prisma.config.cjs",
    "prisma.config.mts",
    "prisma.config.cts",
    ".config/prisma.ts",
    ".config/prisma.js",
    ".config/prisma.mjs",
    ".config/prisma.cjs",
];

/// What `prisma generate` reads; `must` tells whether there has to be a schema.
///
/// # Errors
/// The schema is not there, or a generator is not known.
pub(super) fn generate(
    package: &Package,
    schema: Option<&str>,
    must: bool,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    let dir = &package.dir;
    let mut configured = None;
    if let Some(config) = CONFIGS.iter().find(|c| project.is_file(&join(dir, c))) {
        let path = join(dir, config);
        let text = text(project, &path)?;
        configured = Some(
            named_schema(&text, &path, dir).ok_or_else(|| format!("{path} may load anything"))?,
        );
    }
    needs.read_all(dir, &CONFIGS);
    needs.read_all(dir, &[".env", "prisma/.env"]);
    let named = package.json.get("prisma").and_then(|p| p.get("schema"));
    let named = schema.or(named.and_then(Value::as_str));
    let configured = configured.flatten().filter(|_| schema.is_none());
    let places: Vec<String> = match named {
        _ if configured.is_some() => configured.into_iter().collect(),
        Some(path) => vec![join(dir, path)],
        None => ["prisma/schema.prisma", "schema.prisma", "prisma/schema"]
            .iter()
            .map(|p| join(dir, p))
            .collect(),
    };
    let mut found = false;
    for place in places {
        let is_folder = !place.ends_with(".prisma");
        for file in files(&place, project) {
            found = true;
            let folder = file.rsplit_once('/').map_or("/", |(d, _)| d);
            needs.read(join(folder, ".env"));
            outputs(&text(project, &file)?, &file, folder, needs)?;
        }
        match is_folder {
            true => needs.read_tree(place),
            false => needs.read(place),
        }
    }
    match must && !found {
        true => Err("the Prisma schema is not in the build context".to_owned()),
        false => Ok(()),
    }
}

/// What a configuration may load without looking at the project, `.env` aside.
const KNOWN_MODULES: [&str; 10] = [
    "prisma/config",
    "@prisma/config",
    "dotenv",
    "dotenv/config",
    "dotenv-expand",
    "path",
    "node:path",
    "process",
    "node:process",
    "node:url",
];

/// The schema that a configuration names, if it does; `None` where it may look at anything else.
fn named_schema(text: &str, path: &str, dir: &str) -> Option<Option<String>> {
    let mut rest = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("//") {
            continue;
        }
        if let Some(import) = line.strip_prefix("import ") {
            let module = import.trim_end_matches(';').trim_end();
            let quoted = module.rsplit(['"', '\'']).nth(1)?;
            let whole = module.ends_with(['"', '\'']) && KNOWN_MODULES.contains(&quoted);
            if !whole {
                return None;
            }
            continue;
        }
        rest.push_str(line);
        rest.push('\n');
    }
    let calls = [
        "require", "import", "readFile", "eval", "Function", "spawn", "exec", "adapter", "fetch",
    ];
    if calls.iter().any(|c| rest.contains(c)) {
        return None;
    }
    let Some((before, value)) = rest.split_once("schema:") else {
        return (!rest.contains("schema")).then_some(None);
    };
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') || value.contains("schema:") {
        return None;
    }
    let value = value.trim_start();
    let literal = |t: &str| -> Option<String> {
        let t = t.trim();
        let quote = t.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let inner = t.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(['"', '\'', '$', '\\'])).then(|| inner.to_owned())
    };
    // Relative to the folder that Prisma runs in where it is a plain text, to the configuration where it is joined to that.
    let quoted = value.split([',', '\n', '}']).next().and_then(literal);
    if let Some(quoted) = quoted {
        return Some(Some(join(dir, &quoted)));
    }
    let joined = value
        .strip_prefix("path.")
        .unwrap_or(value)
        .strip_prefix("join(")?;
    let mut parts = joined.split_once(')')?.0.split(',');
    let base = match parts.next()?.trim() {
        "__dirname" | "import.meta.dirname" => path.rsplit_once('/')?.0,
        _ => return None,
    };
    let mut place = base.to_owned();
    for part in parts.filter(|p| !p.trim().is_empty()) {
        place = join(&place, &literal(part)?);
    }
    Some(Some(place))
}

/// The schema files at a place.
fn files(place: &str, project: &dyn Project) -> Vec<String> {
    if project.is_file(place) {
        return vec![place.to_owned()];
    }
    let below = project.below(place).into_iter();
    below.filter(|f| f.ends_with(".prisma")).collect()
}

/// Looks where the generators of a schema write.
fn outputs(schema: &str, file: &str, folder: &str, needs: &Needs) -> Result<(), String> {
    let mut inside = false;
    for line in schema.lines() {
        let line = line.split("//").next().unwrap_or(line).trim();
        if line.starts_with("generator ") {
            if !line.ends_with('{') {
                return Err(format!("a generator of {file} is not understood"));
            }
            inside = true;
            continue;
        }
        if line.starts_with('}') {
            inside = false;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| inside) else {
            continue;
        };
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
        match (key.trim(), bare) {
            ("provider", Some("prisma-client-js")) => {}
            ("provider", _) => {
                return Err(format!("{file} has the generator {value}"));
            }
            ("output", Some(path)) => {
                let out = PathClaim::exact(join(folder, path));
                if !needs.writes.iter().any(|w| w.covers(&out)) {
                    return Err(format!("{file} writes a client to {}", out.path));
                }
            }
            ("output", None) => return Err(format!("{file} writes a client to {value}")),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::node::Package;
    use super::super::{Memory, Needs};
    use super::generate;

    const PLAIN: &str =
        "generator client {\n  provider = \"prisma-client-js\"\n}\nmodel X { id Int @id }\n";

    fn reads(schema: Option<&str>, files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let package = Package {
            dir: "/app".to_owned(),
            json: serde_json::json!({}),
        };
        let mut needs = Needs::default();
        needs.write_tree("/app/node_modules");
        generate(&package, schema, true, &Memory::of(files), &mut needs)?;
        let list = needs.reads.iter().map(|c| c.path.clone());
        Ok(list
            .filter(|p| p.contains("schema") || p.contains("db"))
            .collect())
    }

    #[test]
    fn the_schema_is_read() {
        let expected = [
            "/app/prisma/schema",
            "/app/prisma/schema.prisma",
            "/app/schema.prisma",
        ];
        let found = reads(None, &[("/app/prisma/schema.prisma", PLAIN)]);
        assert_eq!(found, Ok(expected.map(str::to_owned).to_vec()));
        let found = reads(
            Some("db"),
            &[("/app/db/a.prisma", PLAIN), ("/app/db/b.prisma", "")],
        );
        assert_eq!(
            found,
            Ok(vec!["/app/db".to_owned(), "/app/db/.env".to_owned()])
        );
    }

    #[test]
    fn a_configuration_names_the_schema() {
        let config = "import { defineConfig } from '@prisma/config';\nimport { join } from 'node:path';\n\
                      export default defineConfig({\n  migrations: { path: join(__dirname, '..', 'db', 'migrations') },\n  \
                      schema: join(__dirname, '..', 'db', 'x.prisma')\n});\n";
        let files = [
            ("/app/.config/prisma.ts", config),
            ("/app/db/x.prisma", PLAIN),
        ];
        assert_eq!(
            reads(None, &files),
            Ok(vec![
                "/app/db/.env".to_owned(),
                "/app/db/x.prisma".to_owned()
            ])
        );
        let plain = "export default { schema: \"db/x.prisma\" }";
        let files = [
            ("/app/prisma.config.ts", plain),
            ("/app/db/x.prisma", PLAIN),
        ];
        assert_eq!(
            reads(None, &files),
            Ok(vec![
                "/app/db/.env".to_owned(),
                "/app/db/x.prisma".to_owned()
            ])
        );
        let silent = [
            ("/app/prisma.config.ts", "export default {}"),
            ("/app/schema.prisma", PLAIN),
        ];
        assert!(reads(None, &silent).is_ok_and(|r| r.contains(&"/app/schema.prisma".to_owned())));
    }

    #[test]
    fn clients_elsewhere_are_reasons() {
        for text in [
            "generator a {\n provider = \"prisma-client-js\"\n output = \"../src/x\"\n}",
            "generator a {\n provider = \"prisma-client\"\n}",
            "generator a {\n provider = \"node ./x.js\"\n}",
            "generator a {\n provider = \"prisma-client-js\"\n output = env(\"X\")\n}",
            "generator a { provider = \"x\" }",
        ] {
            assert!(
                reads(None, &[("/app/prisma/schema.prisma", text)]).is_err(),
                "{text}"
            );
        }
        assert!(reads(None, &[]).is_err());
        for text in [
            "import { x } from './x';\nexport default { schema: 'schema.prisma' }",
            "import { readFileSync } from 'fs';\nexport default {}",
            "export default { schema: process.env.S }",
            "export default { schema: join(root, 's') }",
            "const x = await import('./x');\nexport default {}",
        ] {
            let config = ("/app/prisma.config.ts", text);
            assert!(
                reads(None, &[("/app/schema.prisma", PLAIN), config]).is_err(),
                "{text}"
            );
        }
        let inside =
            "generator a {\n provider = \"prisma-client-js\"\n output = \"../node_modules/x\"\n}";
        assert!(reads(None, &[("/app/prisma/schema.prisma", inside)]).is_ok());
    }
}

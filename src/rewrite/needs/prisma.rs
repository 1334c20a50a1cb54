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
    if let Some(config) = CONFIGS.iter().find(|c| project.is_file(&join(dir, c))) {
        return Err(format!("{} may load anything", join(dir, config)));
    }
    needs.read_all(dir, &CONFIGS);
    needs.read_all(dir, &[".env", "prisma/.env"]);
    let named = package.json.get("prisma").and_then(|p| p.get("schema"));
    let named = schema.or(named.and_then(Value::as_str));
    let places: Vec<String> = match named {
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
        let config = ("/app/prisma.config.ts", "");
        assert!(reads(None, &[("/app/schema.prisma", PLAIN), config]).is_err());
        let inside =
            "generator a {\n provider = \"prisma-client-js\"\n output = \"../node_modules/x\"\n}";
        assert!(reads(None, &[("/app/prisma/schema.prisma", inside)]).is_ok());
    }
}

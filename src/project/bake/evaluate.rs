//! Values of bake expressions, with the variables' defaults.
//!
//! Goes in: an expression. Comes out: a value, or the words for what it depends on. Cost: bounded by
//! a budget of bytes for all expressions together. Invariant: what differs from build to build (time,
//! random numbers, the environment) is never guessed at.

use super::functions;
use hcl::Expression;
use hcl::expr::{
    BinaryOperator, ForExpr, FuncCall, ObjectKey, Operation, TraversalOperator, UnaryOperator,
};
use hcl::template::{Directive, Element, Template};
use std::collections::{BTreeMap, BTreeSet};

/// Variables that refer to variables, and expressions in expressions, end here.
const MAX_DEPTH: usize = 64;

/// Bytes (and steps) spent on all values of a project's bake files.
const BUDGET: usize = 16 << 20;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

/// Names that hold inside one block, function or loop.
pub(super) type Scope = BTreeMap<String, Value>;

/// A function that a bake file defines.
pub(super) struct Function {
    pub(super) parameters: Vec<String>,
    pub(super) variadic: Option<String>,
    pub(super) result: Expression,
}

/// A block of a target: its attributes, and the values of its matrix.
pub(super) struct Layer {
    pub(super) attributes: BTreeMap<String, Expression>,
    pub(super) scope: Scope,
}

/// What expressions can refer to.
#[derive(Default)]
pub(super) struct Definitions {
    pub(super) variables: BTreeMap<String, Expression>,
    pub(super) functions: BTreeMap<String, Function>,
    /// Blocks by target, in the order in which they are merged.
    pub(super) layers: BTreeMap<String, Vec<Layer>>,
    /// The values that the builder itself defines.
    pub(super) builtin: Scope,
}

pub(super) struct Evaluator<'a> {
    definitions: &'a Definitions,
    known: BTreeMap<String, Result<Value, String>>,
    scopes: Vec<Scope>,
    busy: BTreeSet<String>,
    depth: usize,
    left: usize,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(definitions: &'a Definitions) -> Self {
        Self::with_budget(definitions, BUDGET)
    }

    /// As [`Self::new`], with what another evaluator left over.
    pub(super) fn with_budget(definitions: &'a Definitions, left: usize) -> Self {
        Self {
            definitions,
            known: BTreeMap::new(),
            scopes: Vec::new(),
            busy: BTreeSet::new(),
            depth: 0,
            left,
        }
    }

    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// The value where the names of a scope hold.
    pub(super) fn value_in(
        &mut self,
        scope: &Scope,
        expression: &Expression,
    ) -> Result<Value, String> {
        let outer = std::mem::replace(&mut self.scopes, vec![scope.clone()]);
        let value = self.value(expression);
        self.scopes = outer;
        value
    }

    /// The value, or what it depends on, to be read after "depends on".
    pub(super) fn value(&mut self, expression: &Expression) -> Result<Value, String> {
        if self.depth >= MAX_DEPTH {
            return Err("too many other values".to_owned());
        }
        self.depth += 1;
        let value = self.spend(16).and_then(|()| self.one(expression));
        self.depth -= 1;
        value
    }

    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), String> {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(0);
        left.map(drop)
            .ok_or_else(|| "values that are too large".to_owned())
    }

    fn one(&mut self, expression: &Expression) -> Result<Value, String> {
        match expression {
            Expression::Null => Ok(Value::Null),
            Expression::Bool(value) => Ok(Value::Bool(*value)),
            Expression::Number(number) => number
                .as_f64()
                .map(Value::Number)
                .ok_or_else(|| "a number that is too large".to_owned()),
            Expression::String(text) => {
                self.spend(text.len())?;
                Ok(Value::Text(text.clone()))
            }
            Expression::Array(items) => {
                let items = items.iter().map(|item| self.value(item));
                items.collect::<Result<_, _>>().map(Value::List)
            }
            Expression::Object(object) => {
                let mut out = BTreeMap::new();
                for (key, value) in object {
                    let key = match key {
                        ObjectKey::Identifier(name) => name.to_string(),
                        ObjectKey::Expression(Expression::Variable(name)) => name.to_string(),
                        ObjectKey::Expression(key) => text(self.value(key)?)?,
                        _ => return Err("a key that is not understood".to_owned()),
                    };
                    out.insert(key, self.value(value)?);
                }
                Ok(Value::Object(out))
            }
            Expression::Parenthesis(inner) => self.value(inner),
            Expression::Variable(name) => self.variable(name.as_str()),
            Expression::TemplateExpr(template) => {
                let template = Template::from_expr(template)
                    .map_err(|_| "a text that is not understood".to_owned())?;
                self.template(&template)
            }
            Expression::Conditional(choice) => match truth(&self.value(&choice.cond_expr)?) {
                Some(true) => self.value(&choice.true_expr),
                Some(false) => self.value(&choice.false_expr),
                None => Err("a condition that is neither true nor false".to_owned()),
            },
            Expression::Operation(operation) => self.operation(operation),
            Expression::FuncCall(call) => self.call(call),
            Expression::ForExpr(each) => self.each(each),
            Expression::Traversal(traversal) => {
                let operators = &traversal.operators;
                if let Expression::Variable(name) = &traversal.expr
                    && name.as_str() == "target"
                    && self.local("target").is_none()
                    && let [TraversalOperator::GetAttr(target), rest @ ..] = operators.as_slice()
                    && let [TraversalOperator::GetAttr(attribute), rest @ ..] = rest
                {
                    let value = self.attribute(target.as_str(), attribute.as_str())?;
                    return self.traverse(value, rest);
                }
                let value = self.value(&traversal.expr)?;
                self.traverse(value, operators)
            }
            _ => Err("an expression that is not understood".to_owned()),
        }
    }

    fn local(&self, name: &str) -> Option<&Value> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name))
    }

    fn variable(&mut self, name: &str) -> Result<Value, String> {
        if let Some(value) = self.local(name).or(self.definitions.builtin.get(name)) {
            let value = value.clone();
            self.spend(size(&value))?;
            return Ok(value);
        }
        if let Some(value) = self.known.get(name) {
            let value = value.clone();
            self.spend(value.as_ref().map_or(0, size))?;
            return value;
        }
        let Some(default) = self.definitions.variables.get(name) else {
            return Err(format!("{name}, which is not defined here"));
        };
        if !self.busy.insert(name.to_owned()) {
            return Err(format!("{name}, which depends on itself"));
        }
        let value = self.value_in(&Scope::new(), default);
        self.busy.remove(name);
        self.known.insert(name.to_owned(), value.clone());
        value
    }

    /// `target.NAME.ATTRIBUTE`: as written in the block, without what the target inherits.
    fn attribute(&mut self, target: &str, attribute: &str) -> Result<Value, String> {
        let definitions = self.definitions;
        let Some(layers) = definitions.layers.get(target) else {
            return Err(format!("the target {target}, which does not exist"));
        };
        let found = layers
            .iter()
            .rev()
            .find_map(|layer| Some((layer, layer.attributes.get(attribute)?)));
        let Some((layer, expression)) = found else {
            return Ok(Value::Null);
        };
        let key = format!("target.{target}.{attribute}");
        if !self.busy.insert(key.clone()) {
            return Err(format!("{key}, which depends on itself"));
        }
        let value = self.value_in(&layer.scope, expression);
        self.busy.remove(&key);
        value
    }

    fn traverse(
        &mut self,
        mut value: Value,
        operators: &[TraversalOperator],
    ) -> Result<Value, String> {
        for (at, operator) in operators.iter().enumerate() {
            let missing = || "a part that is not there".to_owned();
            value = match operator {
                TraversalOperator::GetAttr(name) => member(&value, name.as_str())?,
                TraversalOperator::LegacyIndex(index) => {
                    let index = usize::try_from(*index).map_err(|_| missing())?;
                    let Value::List(items) = value else {
                        return Err(missing());
                    };
                    items.into_iter().nth(index).ok_or_else(missing)?
                }
                TraversalOperator::Index(index) => {
                    let index = self.value(index)?;
                    functions::index(&value, &index)?
                }
                TraversalOperator::AttrSplat | TraversalOperator::FullSplat => {
                    let items = match value {
                        Value::Null => Vec::new(),
                        Value::List(items) => items,
                        other => vec![other],
                    };
                    let rest = &operators[at + 1..];
                    let items = items.into_iter().map(|item| {
                        self.spend(16)?;
                        self.traverse(item, rest)
                    });
                    return items.collect::<Result<_, _>>().map(Value::List);
                }
            };
        }
        Ok(value)
    }

    fn template(&mut self, template: &Template) -> Result<Value, String> {
        let mut out = String::new();
        for element in template.elements() {
            match element {
                Element::Literal(literal) => {
                    self.spend(literal.len())?;
                    out.push_str(literal);
                }
                Element::Interpolation(inner) => {
                    let value = self.value(&inner.expr)?;
                    // Alone, `${x}` is x itself, whatever it is.
                    if template.elements().len() == 1 {
                        return Ok(value);
                    }
                    let value = text(value)?;
                    self.spend(value.len())?;
                    out.push_str(&value);
                }
                Element::Directive(directive) => {
                    let value = self.directive(directive)?;
                    self.spend(value.len())?;
                    out.push_str(&value);
                }
            }
        }
        Ok(Value::Text(out))
    }

    fn directive(&mut self, directive: &Directive) -> Result<String, String> {
        if self.depth >= MAX_DEPTH {
            return Err("too many other values".to_owned());
        }
        self.depth += 1;
        let out = match directive {
            Directive::If(choice) => match truth(&self.value(&choice.cond_expr)?) {
                Some(true) => self.template(&choice.true_template).and_then(text),
                Some(false) => match &choice.false_template {
                    Some(other) => self.template(other).and_then(text),
                    None => Ok(String::new()),
                },
                None => Err("a condition that is neither true nor false".to_owned()),
            },
            Directive::For(each) => {
                let mut out = String::new();
                for (key, item) in entries(self.value(&each.collection_expr)?)? {
                    let mut scope = Scope::from([(each.value_var.to_string(), item)]);
                    if let Some(name) = &each.key_var {
                        scope.insert(name.to_string(), key);
                    }
                    self.spend(scope.values().map(size).sum())?;
                    self.scopes.push(scope);
                    let part = self.template(&each.template).and_then(text);
                    self.scopes.pop();
                    out.push_str(&part?);
                }
                Ok(out)
            }
        };
        self.depth -= 1;
        out
    }

    fn each(&mut self, each: &ForExpr) -> Result<Value, String> {
        let mut list = Vec::new();
        let mut object: BTreeMap<String, Value> = BTreeMap::new();
        for (key, item) in entries(self.value(&each.collection_expr)?)? {
            let mut scope = Scope::from([(each.value_var.to_string(), item)]);
            if let Some(name) = &each.key_var {
                scope.insert(name.to_string(), key);
            }
            self.spend(scope.values().map(size).sum())?;
            self.scopes.push(scope);
            let made = self.one_of_each(each);
            self.scopes.pop();
            match made? {
                None => {}
                Some((None, value)) => list.push(value),
                Some((Some(key), value)) if each.grouping => {
                    let group = object.entry(key).or_insert(Value::List(Vec::new()));
                    if let Value::List(items) = group {
                        items.push(value);
                    }
                }
                Some((Some(key), value)) => drop(object.insert(key, value)),
            }
        }
        Ok(match each.key_expr {
            Some(_) => Value::Object(object),
            None => Value::List(list),
        })
    }

    fn one_of_each(&mut self, each: &ForExpr) -> Result<Option<(Option<String>, Value)>, String> {
        if let Some(condition) = &each.cond_expr {
            match truth(&self.value(condition)?) {
                Some(true) => {}
                Some(false) => return Ok(None),
                None => return Err("a condition that is neither true nor false".to_owned()),
            }
        }
        let key = match &each.key_expr {
            Some(key) => Some(text(self.value(key)?)?),
            None => None,
        };
        Ok(Some((key, self.value(&each.value_expr)?)))
    }

    fn call(&mut self, call: &FuncCall) -> Result<Value, String> {
        let name = call.name.name.as_str();
        if !call.name.namespace.is_empty() {
            return Err(format!("{}{}", functions::UNKNOWN, call.name.name));
        }
        // These two look at failures, so their arguments are not evaluated first.
        if name == "try" || name == "can" {
            for argument in &call.args {
                match self.value(argument) {
                    _ if self.left == 0 => return Err("values that are too large".to_owned()),
                    Ok(_) if name == "can" => return Ok(Value::Bool(true)),
                    Ok(value) => return Ok(value),
                    // Bake knows it, and may well succeed.
                    Err(reason) if reason.starts_with(functions::UNKNOWN) => return Err(reason),
                    Err(_) => {}
                }
            }
            return match name {
                "can" => Ok(Value::Bool(false)),
                _ => Err("a `try` of which nothing succeeds".to_owned()),
            };
        }
        let mut arguments = Vec::new();
        for argument in &call.args {
            arguments.push(self.value(argument)?);
        }
        if call.expand_final {
            match arguments.pop() {
                Some(Value::List(items)) => arguments.extend(items),
                _ => return Err("`...` after something else than a list".to_owned()),
            }
        }
        let definitions = self.definitions;
        let Some(function) = definitions.functions.get(name) else {
            let left = self.left;
            let value = functions::call(name, &arguments, left)?;
            self.spend(size(&value))?;
            return Ok(value);
        };
        let given = arguments.len();
        let fits = match function.variadic {
            Some(_) => given >= function.parameters.len(),
            None => given == function.parameters.len(),
        };
        if !fits {
            return Err(format!("a call of {name} with {given} arguments"));
        }
        let rest = arguments.split_off(function.parameters.len());
        let mut scope: Scope = function.parameters.iter().cloned().zip(arguments).collect();
        if let Some(variadic) = &function.variadic {
            scope.insert(variadic.clone(), Value::List(rest));
        }
        self.value_in(&scope, &function.result)
    }

    fn operation(&mut self, operation: &Operation) -> Result<Value, String> {
        let odd = || "an operation on values that do not fit".to_owned();
        let (left, operator, right) = match operation {
            Operation::Unary(unary) => {
                let value = self.value(&unary.expr)?;
                return match unary.operator {
                    UnaryOperator::Not => truth(&value).map(|v| Value::Bool(!v)).ok_or_else(odd),
                    UnaryOperator::Neg => number(&value).map(|n| Value::Number(-n)).ok_or_else(odd),
                };
            }
            Operation::Binary(binary) => (&binary.lhs_expr, binary.operator, &binary.rhs_expr),
        };
        let (left, right) = (self.value(left)?, self.value(right)?);
        let numbers = || number(&left).zip(number(&right)).ok_or_else(odd);
        let truths = || truth(&left).zip(truth(&right)).ok_or_else(odd);
        Ok(match operator {
            BinaryOperator::Eq => Value::Bool(left == right),
            BinaryOperator::NotEq => Value::Bool(left != right),
            BinaryOperator::And => truths().map(|(a, b)| Value::Bool(a && b))?,
            BinaryOperator::Or => truths().map(|(a, b)| Value::Bool(a || b))?,
            BinaryOperator::Less => numbers().map(|(a, b)| Value::Bool(a < b))?,
            BinaryOperator::LessEq => numbers().map(|(a, b)| Value::Bool(a <= b))?,
            BinaryOperator::Greater => numbers().map(|(a, b)| Value::Bool(a > b))?,
            BinaryOperator::GreaterEq => numbers().map(|(a, b)| Value::Bool(a >= b))?,
            BinaryOperator::Plus => numbers().map(|(a, b)| Value::Number(a + b))?,
            BinaryOperator::Minus => numbers().map(|(a, b)| Value::Number(a - b))?,
            BinaryOperator::Mul => numbers().map(|(a, b)| Value::Number(a * b))?,
            BinaryOperator::Div => match numbers()? {
                (_, 0.0) => return Err("a division by zero".to_owned()),
                (a, b) => Value::Number(a / b),
            },
            BinaryOperator::Mod => match numbers()? {
                (_, 0.0) => return Err("a division by zero".to_owned()),
                (a, b) => Value::Number(a % b),
            },
        })
    }
}

/// Keys and items of a list or an object.
fn entries(value: Value) -> Result<Vec<(Value, Value)>, String> {
    match value {
        Value::List(items) => {
            let numbered = items.into_iter().enumerate();
            #[allow(clippy::cast_precision_loss)]
            let pairs = numbered.map(|(at, item)| (Value::Number(at as f64), item));
            Ok(pairs.collect())
        }
        Value::Object(object) => {
            let pairs = object.into_iter();
            Ok(pairs.map(|(key, item)| (Value::Text(key), item)).collect())
        }
        _ => Err("a loop over something else than a list".to_owned()),
    }
}

fn member(value: &Value, name: &str) -> Result<Value, String> {
    match value {
        Value::Object(object) => object.get(name).cloned(),
        _ => None,
    }
    .ok_or_else(|| format!("the part {name} of a value that has none"))
}

/// Text and numbers turn into each other as in the builder.
pub(super) fn text(value: Value) -> Result<String, String> {
    match value {
        Value::Text(text) => Ok(text),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Err("null in place of a text".to_owned()),
        Value::List(_) | Value::Object(_) => Err("a list in place of a text".to_owned()),
    }
}

pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.parse().ok().filter(|n: &f64| n.is_finite()),
        _ => None,
    }
}

pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Text(text) if text == "true" || text == "1" => Some(true),
        Value::Text(text) if text == "false" || text == "0" => Some(false),
        _ => None,
    }
}

/// Bytes, roughly.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 16,
        Value::Text(text) => 16 + text.len(),
        Value::List(items) => 16 + items.iter().map(size).sum::<usize>(),
        Value::Object(object) => {
            let pairs = object
                .iter()
                .map(|(key, value)| 16 + key.len() + size(value));
            16 + pairs.sum::<usize>()
        }
    }
}

//! Values of bake expressions, as far as variables with defaults decide them.
//!
//! Goes in: an expression. Comes out: a value, or the words for what it depends on. Cost: bounded by
//! a budget of bytes for all expressions together. Invariant: functions, loops and variables of the
//! builder are never guessed at.

use hcl::Expression;
use hcl::expr::{BinaryOperator, Operation, UnaryOperator};
use hcl::template::{Element, Template};
use std::collections::BTreeMap;

/// Variables that refer to variables, and expressions in expressions, end here.
const MAX_DEPTH: usize = 100;

/// Bytes (and steps) spent on all values of a project's bake files.
const BUDGET: usize = 16 << 20;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Text(String),
    List(Vec<Value>),
}

pub(super) struct Evaluator<'a> {
    variables: &'a BTreeMap<String, Expression>,
    known: BTreeMap<String, Result<Value, String>>,
    depth: usize,
    left: usize,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(variables: &'a BTreeMap<String, Expression>) -> Self {
        Self {
            variables,
            known: BTreeMap::new(),
            depth: 0,
            left: BUDGET,
        }
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

    fn spend(&mut self, bytes: usize) -> Result<(), String> {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(0);
        left.map(drop)
            .ok_or_else(|| "values that are too large".to_owned())
    }

    fn one(&mut self, expression: &Expression) -> Result<Value, String> {
        match expression {
            Expression::Null => Ok(Value::Null),
            Expression::Bool(value) => Ok(Value::Bool(*value)),
            Expression::Number(number) => Ok(Value::Text(number.to_string())),
            Expression::String(text) => {
                self.spend(text.len())?;
                Ok(Value::Text(text.clone()))
            }
            Expression::Array(items) => {
                let items = items.iter().map(|item| self.value(item));
                items.collect::<Result<_, _>>().map(Value::List)
            }
            Expression::Parenthesis(inner) => self.value(inner),
            Expression::Variable(name) => self.variable(name.as_str()),
            Expression::TemplateExpr(template) => {
                let template = Template::from_expr(template)
                    .map_err(|_| "a text that is not understood".to_owned())?;
                self.template(&template)
            }
            Expression::Conditional(choice) => match self.value(&choice.cond_expr)? {
                Value::Bool(true) => self.value(&choice.true_expr),
                Value::Bool(false) => self.value(&choice.false_expr),
                _ => Err("a condition that is neither true nor false".to_owned()),
            },
            Expression::Operation(operation) => self.operation(operation),
            Expression::FuncCall(call) => Err(format!("the function {}", call.name.name)),
            Expression::ForExpr(_) => Err("a `for` expression".to_owned()),
            Expression::Traversal(_) => Err("a part of another value".to_owned()),
            Expression::Object(_) => Err("an object".to_owned()),
            _ => Err("an expression that is not understood".to_owned()),
        }
    }

    fn variable(&mut self, name: &str) -> Result<Value, String> {
        if let Some(value) = self.known.get(name) {
            let value = value.clone();
            self.spend(value.as_ref().map_or(0, size))?;
            return value;
        }
        let value = match self.variables.get(name) {
            Some(default) => self.value(default),
            None => Err(format!("{name}, which is not defined here")),
        };
        self.known.insert(name.to_owned(), value.clone());
        value
    }

    fn template(&mut self, template: &Template) -> Result<Value, String> {
        let mut out = String::new();
        for element in template.elements() {
            match element {
                Element::Literal(text) => {
                    self.spend(text.len())?;
                    out.push_str(text);
                }
                Element::Interpolation(inner) => match self.value(&inner.expr)? {
                    // Alone, `${x}` is x itself, whatever it is.
                    value if template.elements().len() == 1 => return Ok(value),
                    Value::Null => {}
                    Value::Bool(value) => out.push_str(&value.to_string()),
                    Value::Text(text) => out.push_str(&text),
                    Value::List(_) => return Err("a list inside a text".to_owned()),
                },
                Element::Directive(_) => return Err("a template directive".to_owned()),
            }
        }
        Ok(Value::Text(out))
    }

    fn operation(&mut self, operation: &Operation) -> Result<Value, String> {
        let (left, operator, right) = match operation {
            Operation::Unary(unary) => {
                return match (unary.operator, self.value(&unary.expr)?) {
                    (UnaryOperator::Not, Value::Bool(value)) => Ok(Value::Bool(!value)),
                    _ => Err("arithmetic".to_owned()),
                };
            }
            Operation::Binary(binary) => (&binary.lhs_expr, binary.operator, &binary.rhs_expr),
        };
        let (left, right) = (self.value(left)?, self.value(right)?);
        let value = match (operator, &left, &right) {
            (BinaryOperator::Eq, _, _) => left == right,
            (BinaryOperator::NotEq, _, _) => left != right,
            (BinaryOperator::And, Value::Bool(left), Value::Bool(right)) => *left && *right,
            (BinaryOperator::Or, Value::Bool(left), Value::Bool(right)) => *left || *right,
            _ => return Err("arithmetic".to_owned()),
        };
        Ok(Value::Bool(value))
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Text(text) => text.len(),
        Value::List(items) => items.iter().map(size).sum::<usize>() + items.len(),
    }
}

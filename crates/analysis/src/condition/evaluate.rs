//! Evaluates a condition over a result, and remembers what its value rests on.

use std::cell::Cell;

use expr::Value;
use jiff::Timestamp;

use super::tree::{Link, Node, Step};
use super::weighed::{Doubt, Weighed, doubt, empty, holds_nan};
use super::{Fault, function, operator};

/// Steps that an evaluation may take: far more than any condition needs, few enough for a controller to bear.
const STEPS: u32 = 300_000;

/// One evaluation of one condition.
pub(super) struct Evaluator<'e> {
    result: &'e Value,
    now: Timestamp,
    steps: Cell<u32>,
    /// The condition said itself what no data mean, for example by `len(result) == 0`.
    minded: Cell<bool>,
}

/// The names around a place: what `let` and predicates gave.
pub(super) struct Scope<'s> {
    outer: Option<&'s Scope<'s>>,
    names: Vec<(&'s str, Weighed)>,
}

impl<'s> Scope<'s> {
    pub(super) const fn outermost() -> Self {
        Self { outer: None, names: Vec::new() }
    }

    pub(super) fn with(&'s self, name: &'s str, value: &Weighed) -> Scope<'s> {
        Scope { outer: Some(self), names: vec![(name, value.clone())] }
    }

    pub(super) fn element(&'s self, element: &Value, index: usize) -> Scope<'s> {
        let names = vec![("#", Weighed::sure(element.clone())), ("#index", Weighed::sure(index))];
        Scope { outer: Some(self), names }
    }

    fn find(&self, name: &str) -> Option<&Weighed> {
        let here = self.names.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        here.or_else(|| self.outer.and_then(|outer| outer.find(name)))
    }
}

impl<'e> Evaluator<'e> {
    pub(super) fn new(result: &'e Value, now: Timestamp) -> Self {
        Self { result, now, steps: Cell::new(0), minded: Cell::new(false) }
    }

    /// The provider returned nothing.
    pub(super) fn nothing_came(&self) -> bool {
        empty(self.result)
    }

    /// The condition said what no data mean.
    pub(super) fn minded_no_data(&self) -> bool {
        self.minded.get()
    }

    pub(super) fn eval(&self, node: &Node, scope: &Scope) -> Result<Weighed, Fault> {
        let steps = self.steps.get().saturating_add(1);
        self.steps.set(steps);
        if steps > STEPS {
            return Err(Fault::Value(format!("more than {STEPS} steps")));
        }
        match node {
            Node::Literal(value) => Ok(Weighed::sure(value.clone())),
            Node::Name(name) | Node::Pointer(name) => match scope.find(name) {
                Some(value) => Ok(value.clone()),
                None => Ok(Weighed::sure(self.result.clone())),
            },
            Node::Unary(sign, inner) => {
                let Weighed { value, doubt } = self.eval(inner, scope)?;
                Ok(Weighed { value: operator::unary(sign, value)?, doubt })
            }
            Node::Binary(sign, left, right) => self.binary(sign, left, right, scope),
            Node::Choice(condition, then, otherwise) => {
                let chosen = self.eval(condition, scope)?;
                let branch = if truth("?:", &chosen.value)? { then } else { otherwise };
                Ok(self.eval(branch, scope)?.doubting(chosen.doubt))
            }
            Node::Let(name, value, rest) => {
                let value = self.eval(value, scope)?;
                self.eval(rest, &scope.with(name, &value))
            }
            Node::Array(nodes) => self.array(nodes, scope),
            Node::Map(pairs) => self.map(pairs, scope),
            Node::Chain(base, links) => self.chain(base, links, scope),
            Node::Call(name, nodes) => self.call(name, nodes, scope),
            Node::Each(predicate, nodes, body) => self.each(*predicate, nodes, body.as_deref(), scope),
        }
    }

    fn all_of(&self, nodes: &[Node], scope: &Scope) -> Result<Vec<Weighed>, Fault> {
        nodes.iter().map(|node| self.eval(node, scope)).collect()
    }

    fn array(&self, nodes: &[Node], scope: &Scope) -> Result<Weighed, Fault> {
        let values = self.all_of(nodes, scope)?;
        let doubt = doubt(&values);
        Ok(Weighed { value: Value::Array(values.into_iter().map(|value| value.value).collect()), doubt })
    }

    fn call(&self, name: &str, nodes: &[Node], scope: &Scope) -> Result<Weighed, Fault> {
        let arguments = self.all_of(nodes, scope)?;
        if function::minds_no_data(name) && arguments.iter().all(|argument| argument.doubt.is_none()) {
            self.minded.set(true);
        }
        function::call(name, arguments, self.now)
    }

    fn map(&self, pairs: &[(Node, Node)], scope: &Scope) -> Result<Weighed, Fault> {
        let mut fields = Vec::new();
        let mut doubted = None;
        for (key, value) in pairs {
            let Value::String(key) = self.eval(key, scope)?.value else {
                return Err(Fault::Value("a key of a map is not a text".to_owned()));
            };
            let value = self.eval(value, scope)?;
            doubted = doubted.or(value.doubt);
            fields.push((key, value.value));
        }
        Ok(Weighed { value: fields.into_iter().collect(), doubt: doubted })
    }

    fn binary(&self, sign: &str, left: &Node, right: &Node, scope: &Scope) -> Result<Weighed, Fault> {
        let first = self.eval(left, scope)?;
        match sign {
            "&&" if !truth(sign, &first.value)? => return Ok(first),
            "||" if truth(sign, &first.value)? => return Ok(first),
            "&&" | "||" => return self.second(sign, first, right, scope),
            "??" => {
                self.minded.set(true);
                return if first.value.is_nil() { self.eval(right, scope) } else { Ok(first) };
            }
            _ => {}
        }
        let second = self.eval(right, scope)?;
        let mut doubted = first.doubt.or(second.doubt);
        if matches!(sign, "==" | "!=") && (first.value.is_nil() || second.value.is_nil()) {
            self.minded.set(true);
        }
        if matches!(sign, "==" | "!=" | "<" | ">" | "<=" | ">=" | "in" | "contains")
            && (holds_nan(&first.value) || holds_nan(&second.value))
        {
            doubted = Some(Doubt::NotANumber);
        }
        let value = match sign {
            ".." => operator::range(&first.value, &second.value)?,
            sign => operator::binary(sign, first.value, second.value)?,
        };
        Ok(Weighed { value, doubt: doubted })
    }

    /// The right side of `&&` and `||` decides for certain when it is certain and decisive, whatever stands left.
    fn second(&self, sign: &str, first: Weighed, right: &Node, scope: &Scope) -> Result<Weighed, Fault> {
        let second = self.eval(right, scope)?;
        let decisive = truth(sign, &second.value)? == (sign == "||");
        Ok(if decisive { second } else { second.doubting(first.doubt) })
    }

    fn chain(&self, base: &Node, links: &[Link], scope: &Scope) -> Result<Weighed, Fault> {
        let mut current = self.eval(base, scope)?;
        for Link { optional, step } in links {
            if *optional && current.value.is_nil() {
                self.minded.set(true);
                return Ok(current);
            }
            current = match step {
                Step::Index(key) => {
                    let key = self.eval(key, scope)?;
                    let value = operator::index(&current.value, &key.value)?;
                    Weighed { value, doubt: current.doubt.or(key.doubt) }
                }
                Step::Slice(from, to) => {
                    let bound =
                        |node: &Option<Node>| node.as_ref().map(|node| self.eval(node, scope)).transpose();
                    let (from, to) = (bound(from)?, bound(to)?);
                    let value = operator::slice(
                        &current.value,
                        from.as_ref().map(|from| &from.value),
                        to.as_ref().map(|to| &to.value),
                    )?;
                    Weighed { value, doubt: current.doubt }
                }
                Step::Method(name, arguments) => {
                    function::method(current, name, self.all_of(arguments, scope)?)?
                }
            };
        }
        Ok(current)
    }
}

fn truth(sign: &str, value: &Value) -> Result<bool, Fault> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        other => Err(Fault::Value(format!("{sign} needs true or false, not {}", operator::brief(other)))),
    }
}

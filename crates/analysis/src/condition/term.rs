//! Reads the terms of a condition: literals, names, calls, lists, maps, and the steps behind them.

use expr::Value;

use super::Fault;
use super::function;
use super::predicate::Predicate;
use super::syntax::{Parser, not, unexpected};
use super::token::Kind;
use super::tree::{Link, Node, Step};

impl Parser {
    pub(super) fn primary(&mut self) -> Result<Node, Fault> {
        let node = match self.sign() {
            Some("!" | "not") => {
                self.take();
                not(self.expression(50)?)
            }
            Some(sign @ ("-" | "+")) => {
                self.take();
                Node::Unary(sign, Box::new(self.expression(90)?))
            }
            Some("(") => {
                self.take();
                let node = self.sequence()?;
                self.expect(")")?;
                node
            }
            Some("#") if self.predicates > 0 => self.pointer()?,
            Some(".") if self.predicates > 0 => Node::Pointer("#".to_owned()),
            Some("[") => {
                self.take();
                Node::Array(self.list("]")?)
            }
            Some("{") => self.map()?,
            _ => self.secondary()?,
        };
        self.postfix(node)
    }

    fn pointer(&mut self) -> Result<Node, Fault> {
        self.take();
        let name = match self.peek() {
            Kind::Name(name) => {
                self.take();
                format!("#{name}")
            }
            _ => "#".to_owned(),
        };
        match name.as_str() {
            "#" | "#acc" | "#index" => Ok(Node::Pointer(name)),
            _ => Err(Fault::Syntax(format!("unknown pointer {name}"))),
        }
    }

    fn secondary(&mut self) -> Result<Node, Fault> {
        let token = self.take();
        match token.kind {
            Kind::Integer(number) => Ok(Node::Literal(Value::Integer(number))),
            Kind::Float(number) => Ok(Node::Literal(Value::Float(number))),
            Kind::Text(text) => Ok(Node::Literal(Value::String(text))),
            Kind::Name(name) => match name.as_str() {
                "true" => Ok(Node::Literal(Value::Bool(true))),
                "false" => Ok(Node::Literal(Value::Bool(false))),
                "nil" => Ok(Node::Literal(Value::Nil)),
                _ if self.sign() == Some("(") => self.call(name, Vec::new()),
                _ if self.names.contains(&name) => Ok(Node::Name(name)),
                _ => Err(Fault::Syntax(format!("unknown name {name} at column {}", token.column))),
            },
            Kind::Sign(_) | Kind::End => Err(unexpected(&token)),
        }
    }

    /// Expressions up to `end`; a comma may stand before it.
    fn list(&mut self, end: &str) -> Result<Vec<Node>, Fault> {
        let mut nodes = Vec::new();
        while !self.accept(end) {
            if !nodes.is_empty() {
                self.expect(",")?;
                if self.accept(end) {
                    break;
                }
            }
            nodes.push(self.expression(0)?);
        }
        Ok(nodes)
    }

    fn map(&mut self) -> Result<Node, Fault> {
        self.expect("{")?;
        let mut pairs = Vec::new();
        while !self.accept("}") {
            if !pairs.is_empty() {
                self.expect(",")?;
                if self.accept("}") {
                    break;
                }
            }
            let token = self.take();
            let key = match token.kind {
                Kind::Name(key) | Kind::Text(key) => Node::Literal(Value::String(key)),
                Kind::Integer(number) => Node::Literal(Value::String(number.to_string())),
                Kind::Sign("(") => {
                    let key = self.sequence()?;
                    self.expect(")")?;
                    key
                }
                _ => return Err(unexpected(&token)),
            };
            self.expect(":")?;
            pairs.push((key, self.expression(0)?));
        }
        Ok(Node::Map(pairs))
    }

    /// The call of `name`; `first` holds what a pipe puts in.
    pub(super) fn call(&mut self, name: String, mut first: Vec<Node>) -> Result<Node, Fault> {
        let node = match Predicate::named(&name) {
            Some(predicate) => self.each(predicate, first)?,
            None if function::exists(&name) => {
                self.expect("(")?;
                first.extend(self.list(")")?);
                Node::Call(name, first)
            }
            None => return Err(Fault::Syntax(format!("unknown name {name}"))),
        };
        self.postfix(node)
    }

    fn each(&mut self, predicate: Predicate, mut lists: Vec<Node>) -> Result<Node, Fault> {
        self.expect("(")?;
        if lists.is_empty() {
            lists.push(self.expression(0)?);
            if self.sign() == Some(",") {
                self.take();
            }
        }
        let body = if self.sign() == Some(")") { None } else { Some(Box::new(self.body()?)) };
        if self.accept(",") {
            lists.extend(self.list(")")?);
        } else {
            self.expect(")")?;
        }
        if body.is_none() && !predicate.may_lack_body() {
            return Err(Fault::Syntax(format!("{predicate} needs a predicate")));
        }
        Ok(Node::Each(predicate, lists, body))
    }

    fn body(&mut self) -> Result<Node, Fault> {
        self.predicates += 1;
        let node = if self.sign() == Some("{") { self.block() } else { self.expression(0) };
        self.predicates -= 1;
        node
    }

    fn postfix(&mut self, node: Node) -> Result<Node, Fault> {
        let mut links = Vec::new();
        while let Some(sign) = self.sign() {
            let (optional, step) = match sign {
                "." => {
                    self.take();
                    (false, self.member()?)
                }
                "?." => {
                    self.take();
                    (true, if self.sign() == Some("[") { self.bracket()? } else { self.member()? })
                }
                "[" => (false, self.bracket()?),
                _ => break,
            };
            links.push(Link { optional, step });
        }
        Ok(if links.is_empty() { node } else { Node::Chain(Box::new(node), links) })
    }

    fn member(&mut self) -> Result<Step, Fault> {
        let token = self.take();
        let name = match token.kind {
            Kind::Name(name) => name,
            Kind::Sign(word) if word.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                word.to_owned()
            }
            _ => return Err(unexpected(&token)),
        };
        if self.accept("(") {
            return Ok(Step::Method(name, self.list(")")?));
        }
        Ok(Step::Index(Node::Literal(Value::String(name))))
    }

    fn bracket(&mut self) -> Result<Step, Fault> {
        self.expect("[")?;
        let from = if self.sign() == Some(":") { None } else { Some(self.expression(0)?) };
        if !self.accept(":") {
            self.expect("]")?;
            return from.map(Step::Index).ok_or_else(|| Fault::Syntax("empty index".to_owned()));
        }
        let to = if self.sign() == Some("]") { None } else { Some(self.expression(0)?) };
        self.expect("]")?;
        Ok(Step::Slice(from, to))
    }
}

//! Reads a condition into a tree, with the precedences of expr-lang 1.17.

use super::Fault;
use super::token::{Kind, Token, cut};
use super::tree::{Node, height};

/// Most levels of a tree: reading and evaluating recurse.
const DEEPEST: usize = 64;

/// # Errors
/// [`Fault::Syntax`] with the column, also for names and functions that do not exist.
pub(super) fn parse(code: &str) -> Result<Node, Fault> {
    let mut parser = Parser {
        tokens: cut(code)?.into_iter().peekable(),
        depth: 0,
        names: vec!["result".to_owned()],
        predicates: 0,
    };
    let node = parser.sequence()?;
    match parser.take() {
        Token { kind: Kind::End, .. } => Ok(node),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn unexpected(token: &Token) -> Fault {
    Fault::Syntax(format!("unexpected {} at column {}", token.kind, token.column))
}

pub(super) struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
    pub(super) names: Vec<String>,
    /// Predicates around the current place.
    pub(super) predicates: usize,
}

fn precedence(sign: &str) -> Option<(u16, bool)> {
    Some(match sign {
        "|" => (0, true),
        "||" | "or" => (10, true),
        "&&" | "and" => (15, true),
        "==" | "!=" | "<" | ">" | "<=" | ">=" | "in" | "matches" | "contains" | "startsWith" | "endsWith" => {
            (20, true)
        }
        ".." => (25, true),
        "+" | "-" => (30, true),
        "*" | "/" | "%" => (60, true),
        "**" | "^" => (100, false),
        "??" => (500, true),
        _ => return None,
    })
}

fn ordering(sign: &str) -> bool {
    matches!(sign, "<" | ">" | "<=" | ">=")
}

fn binary(sign: &'static str, left: Node, right: Node) -> Node {
    let sign = match sign {
        "or" => "||",
        "and" => "&&",
        "^" => "**",
        other => other,
    };
    Node::Binary(sign, Box::new(left), Box::new(right))
}

pub(super) fn not(node: Node) -> Node {
    Node::Unary("!", Box::new(node))
}

impl Parser {
    pub(super) fn take(&mut self) -> Token {
        self.tokens.next().unwrap_or(Token { kind: Kind::End, column: 0 })
    }

    pub(super) fn peek(&mut self) -> Kind {
        self.tokens.peek().map_or(Kind::End, |token| token.kind.clone())
    }

    pub(super) fn sign(&mut self) -> Option<&'static str> {
        match self.tokens.peek() {
            Some(Token { kind: Kind::Sign(sign), .. }) => Some(sign),
            _ => None,
        }
    }

    pub(super) fn accept(&mut self, sign: &str) -> bool {
        let found = self.sign() == Some(sign);
        if found {
            self.take();
        }
        found
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), Fault> {
        if self.accept(sign) { Ok(()) } else { Err(unexpected(&self.take())) }
    }

    pub(super) fn name(&mut self) -> Result<String, Fault> {
        match self.take() {
            Token { kind: Kind::Name(name), .. } => Ok(name),
            other => Err(unexpected(&other)),
        }
    }

    fn too_deep() -> Fault {
        Fault::Syntax(format!("more than {DEEPEST} levels"))
    }

    /// `let a = 1; …`, or one expression.
    pub(super) fn sequence(&mut self) -> Result<Node, Fault> {
        if !self.accept("let") {
            return self.expression(0);
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Self::too_deep());
        }
        let name = self.name()?;
        self.expect("=")?;
        let value = self.expression(0)?;
        self.expect(";")?;
        self.names.push(name.clone());
        let rest = self.sequence()?;
        self.names.pop();
        self.depth -= 1;
        Ok(Node::Let(name, Box::new(value), Box::new(rest)))
    }

    pub(super) fn expression(&mut self, least: u16) -> Result<Node, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Self::too_deep());
        }
        let node = match self.sign() {
            Some("let") if least == 0 => self.sequence()?,
            Some("if") if least == 0 => self.conditional()?,
            _ => self.operators(least)?,
        };
        self.depth -= 1;
        Ok(node)
    }

    fn operators(&mut self, least: u16) -> Result<Node, Fault> {
        let mut left = self.primary()?;
        let mut previous = "";
        while let Some(first) = self.sign() {
            let negated = first == "not";
            let Some((sign, power, from_left)) = self.operator(least)? else {
                break;
            };
            if previous == "??" && sign != "??" {
                return Err(Fault::Syntax(format!(
                    "{sign} after ?? needs parentheses around one of the two"
                )));
            }
            left = if sign == "|" {
                let name = self.name()?;
                self.call(name, vec![left])?
            } else if ordering(sign) {
                self.comparison(left, sign, power)?
            } else {
                let right = self.expression(if from_left { power + 1 } else { power })?;
                binary(sign, left, right)
            };
            if negated {
                left = not(left);
            }
            if height(&left) > DEEPEST {
                return Err(Self::too_deep());
            }
            previous = sign;
        }
        if least == 0 { self.choice(left) } else { Ok(left) }
    }

    /// Takes the next operator when it binds at least so tightly; `not in` and its like are one operator.
    fn operator(&mut self, least: u16) -> Result<Option<(&'static str, u16, bool)>, Fault> {
        let Some(first) = self.sign() else {
            return Ok(None);
        };
        if first == "not" {
            if least > 20 {
                return Ok(None);
            }
            self.take();
            return match self.sign() {
                Some(sign @ ("in" | "matches" | "contains" | "startsWith" | "endsWith")) => {
                    self.take();
                    Ok(Some((sign, 20, true)))
                }
                _ => Err(unexpected(&self.take())),
            };
        }
        match precedence(first) {
            Some((power, from_left)) if power >= least => {
                self.take();
                Ok(Some((first, power, from_left)))
            }
            _ => Ok(None),
        }
    }

    /// `a < b < c` is `a < b && b < c`.
    fn comparison(&mut self, left: Node, sign: &'static str, power: u16) -> Result<Node, Fault> {
        let mut right = self.expression(power + 1)?;
        let mut whole = binary(sign, left, right.clone());
        while let Some(next) = self.sign().filter(|next| ordering(next)) {
            self.take();
            let further = self.expression(power + 1)?;
            whole = binary("&&", whole, binary(next, right, further.clone()));
            right = further;
        }
        Ok(whole)
    }

    fn choice(&mut self, condition: Node) -> Result<Node, Fault> {
        if !self.accept("?") {
            return Ok(condition);
        }
        let then = if self.accept(":") {
            condition.clone()
        } else {
            let then = self.expression(0)?;
            self.expect(":")?;
            then
        };
        let otherwise = self.expression(0)?;
        self.choice(Node::Choice(Box::new(condition), Box::new(then), Box::new(otherwise)))
    }

    fn conditional(&mut self) -> Result<Node, Fault> {
        self.expect("if")?;
        let condition = self.expression(0)?;
        let then = self.block()?;
        self.expect("else")?;
        let otherwise = if self.sign() == Some("if") { self.expression(0)? } else { self.block()? };
        Ok(Node::Choice(Box::new(condition), Box::new(then), Box::new(otherwise)))
    }

    pub(super) fn block(&mut self) -> Result<Node, Fault> {
        self.expect("{")?;
        let node = self.sequence()?;
        self.expect("}")?;
        Ok(node)
    }
}

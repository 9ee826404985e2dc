//! The network as the encrypted side sees it: affine maps, products and polynomials, nothing else.
//!
//! Between two non-linear steps every run of linear operators is one sparse matrix, so it costs one level.

use hecc_grammar::model::{ClientOp, Polynomial, Tensor};

use crate::linear::LinearMap;
use crate::poly::{Coefficients, polynomial_depth};

/// The result of one step of the graph. Prints as `n7`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

impl std::fmt::Debug for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// An encrypted input, given by its position among the model's inputs.
    Input(usize),
    /// `Σ matrix · source + bias`, over flattened tensors.
    Affine {
        /// Matrices over slot values (normalizations of source and result included).
        terms: Vec<(NodeId, LinearMap)>,
        /// One number for each element of the result.
        bias: Vec<f64>,
    },
    /// Elementwise product.
    Mul(NodeId, NodeId),
    /// Elementwise polynomial over the normalized operand, which is in [−1, 1], or one for each channel.
    Polynomial(NodeId, Coefficients),
    /// The sine of the operand in parts of its period, which bootstrapping leaves: a bootstrap that must be there.
    Sine(NodeId, f64),
}

/// A step with what is known about its result. Slots hold `factor · element + offset`, which is within [−1, 1] on
/// the calibration data (see `crate::pass::normalize`).
#[derive(Clone, Debug)]
pub struct Node {
    /// What is computed.
    pub step: Step,
    /// Names of the ONNX nodes that it covers.
    pub name: String,
    /// The tensor of the model that it holds.
    pub tensor: Tensor,
    /// Shape of the result: of what is computed elementwise that of its operand, whose layout it has, however the tensor is
    /// reshaped.
    pub shape: Vec<usize>,
    /// See above.
    pub factor: f64,
    /// See above.
    pub offset: f64,
}

/// A named result.
#[derive(Clone, Debug)]
pub struct GraphOutput {
    /// Name of the model's output.
    pub name: String,
    /// The step that computes it.
    pub node: NodeId,
    /// Its shape; that of the step may be another with the same elements in the same order.
    pub shape: Vec<usize>,
    /// What the client applies after decryption.
    pub client: Vec<ClientOp>,
}

/// Steps in topological order.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Steps; operands precede their users.
    pub nodes: Vec<Node>,
    /// Results.
    pub outputs: Vec<GraphOutput>,
}

impl Step {
    /// The steps read.
    pub fn operands(&self) -> Vec<NodeId> {
        match self {
            Step::Input(_) => vec![],
            Step::Affine { terms, .. } => terms.iter().map(|(source, _)| *source).collect(),
            Step::Mul(a, b) => vec![*a, *b],
            Step::Polynomial(a, _) | Step::Sine(a, _) => vec![*a],
        }
    }

    /// What it is, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Step::Input(_) => "input",
            Step::Affine { .. } => "linear",
            Step::Mul(a, b) if a == b => "square",
            Step::Mul(..) => "product",
            Step::Polynomial(..) => "polynomial",
            Step::Sine(..) => "sine",
        }
    }

    /// The degree of its results in what it reads.
    pub fn degree(&self) -> u32 {
        match self {
            Step::Input(_) | Step::Affine { .. } | Step::Sine(..) => 1,
            Step::Mul(..) => 2,
            Step::Polynomial(_, coefficients) => coefficients.degree() as u32,
        }
    }

    /// Levels that it consumes.
    pub fn depth(&self) -> usize {
        match self {
            Step::Input(_) | Step::Sine(..) => 0,
            Step::Affine { .. } | Step::Mul(..) => 1,
            Step::Polynomial(_, coefficients) => polynomial_depth(coefficients.degree()),
        }
    }
}

impl Graph {
    /// Appends a step.
    pub fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// The step behind an id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The shape of a step's node, where the tensor that it computes has `shape`.
    pub fn shape_of(&self, step: &Step, shape: &[usize]) -> Vec<usize> {
        match step {
            Step::Input(_) | Step::Affine { .. } => shape.to_vec(),
            Step::Mul(x, _) | Step::Polynomial(x, _) | Step::Sine(x, _) => {
                self.node(*x).shape.clone()
            }
        }
    }

    /// The period of the arguments of sines, if there are any: all of a graph have the same.
    pub fn sine_ratio(&self) -> Option<f64> {
        self.nodes.iter().find_map(|node| match node.step {
            Step::Sine(_, ratio) => Some(ratio),
            Step::Input(_) | Step::Affine { .. } | Step::Mul(..) | Step::Polynomial(..) => None,
        })
    }

    /// Number of elements of a result.
    pub fn len(&self, id: NodeId) -> usize {
        self.node(id).shape.iter().product()
    }

    /// All ids, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// For each step, the steps that read it.
    pub fn users(&self) -> Vec<Vec<NodeId>> {
        let mut users = vec![vec![]; self.nodes.len()];
        for id in self.ids() {
            for operand in self.node(id).step.operands() {
                users[operand.0].push(id);
            }
        }
        users
    }
}

/// The affine map of a polynomial's interval to [−1, 1]: `t = factor · x + offset`.
pub fn to_unit_interval(polynomial: &Polynomial) -> (f64, f64) {
    let width = polynomial.hi - polynomial.lo;
    (2.0 / width, -(polynomial.lo + polynomial.hi) / width)
}

/// Prints a step a line: `n3 = affine n1[845x100, 84500 entries] : [1, 100] "fc1" slots = 0.2·x`.
impl std::fmt::Display for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for id in self.ids() {
            let node = self.node(id);
            write!(f, "{id:?} = ")?;
            match &node.step {
                Step::Input(index) => write!(f, "input {index}")?,
                Step::Affine { terms, bias } => {
                    f.write_str("affine")?;
                    for (source, matrix) in terms {
                        let (cols, rows, entries) =
                            (matrix.n_cols(), matrix.n_rows(), matrix.n_entries());
                        write!(f, " {source:?}[{cols}x{rows}, {entries} entries]")?;
                    }
                    if bias.iter().any(|&b| b != 0.0) {
                        f.write_str(" + bias")?;
                    }
                }
                Step::Mul(a, b) => write!(f, "mul {a:?}, {b:?}")?,
                Step::Sine(x, ratio) => write!(f, "sine {x:?} ratio {ratio}")?,
                Step::Polynomial(x, coefficients) => {
                    write!(f, "polynomial {x:?} degree {}", coefficients.degree())?;
                    if coefficients.n_channels() > 1 {
                        write!(f, " for each of {} channels", coefficients.n_channels())?;
                    }
                }
            }
            write!(f, " : {:?} {:?} slots = {:.6}·x", node.shape, node.name, node.factor)?;
            match node.offset == 0.0 {
                true => writeln!(f)?,
                false => writeln!(f, " + {:.6}", node.offset)?,
            }
        }
        for output in &self.outputs {
            writeln!(f, "output {:?} {:?}", output.node, output.name)?;
        }
        Ok(())
    }
}

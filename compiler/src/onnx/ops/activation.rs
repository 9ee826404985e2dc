//! Activations that the tensor graph knows by name.

use hecc_grammar::model::{ClientOp, Function};

use crate::onnx::builder::Builder;
use crate::onnx::client::LastNodes;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::value::Value;

/// An operator that applies one function to its only input.
macro_rules! activation {
    ($name:ident, $op_type:literal, $since:literal, $supported:literal, $function:expr) => {
        pub(super) const $name: Importer = Importer {
            op_type: $op_type,
            since: $since,
            supported: $supported,
            refused: "",
            import: |node, model| apply(node, model, $function),
        };
    };
}

activation!(ELU, "Elu", 7, "`alpha`", |node| Ok(Function::Elu {
    alpha: attr(node, "alpha", 1.0)?
}));
activation!(ERF, "Erf", 9, "all", |_| Ok(Function::Erf));
activation!(GELU, "Gelu", 20, "`approximate`", gelu);
activation!(HARD_SIGMOID, "HardSigmoid", 7, "`alpha`, `beta`", |node| {
    Ok(Function::HardSigmoid { alpha: attr(node, "alpha", 0.2)?, beta: attr(node, "beta", 0.5)? })
});
activation!(HARD_SWISH, "HardSwish", 14, "all", |_| Ok(Function::HardSwish));
activation!(LEAKY_RELU, "LeakyRelu", 7, "`alpha`", |node| {
    Ok(Function::LeakyRelu { alpha: attr(node, "alpha", 0.01)? })
});
activation!(MISH, "Mish", 18, "all", |_| Ok(Function::Mish));
activation!(COS, "Cos", 7, "all", |_| Ok(Function::Cos));
activation!(EXP, "Exp", 7, "all", |_| Ok(Function::Exp));
activation!(RELU, "Relu", 7, "all", |_| Ok(Function::Relu));
activation!(SELU, "Selu", 7, "`alpha`, `gamma`", |node| {
    let alpha = attr(node, "alpha", 1.673_263_242_354_377_2)?;
    Ok(Function::Selu { alpha, gamma: attr(node, "gamma", 1.050_700_987_355_480_5)? })
});
activation!(SIN, "Sin", 7, "all", |_| Ok(Function::Sin));
activation!(SOFTSIGN, "Softsign", 7, "all", |_| Ok(Function::Softsign));
activation!(SWISH, "Swish", 24, "`alpha`", |node| {
    Ok(Function::Swish { alpha: attr(node, "alpha", 1.0)? })
});
activation!(SIGMOID, "Sigmoid", 7, "all", |_| Ok(Function::Sigmoid));
activation!(SOFTPLUS, "Softplus", 7, "all", |_| Ok(Function::Softplus));
activation!(TANH, "Tanh", 7, "all", |_| Ok(Function::Tanh));

pub(super) const CELU: Importer = Importer {
    op_type: "Celu",
    since: 12,
    supported: "`alpha`, as `alpha·Elu(x / alpha)`",
    refused: "",
    import: celu,
};

fn celu(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let alpha = attr(node, "alpha", 1.0)?;
    if alpha == 0.0 {
        return Err(refuse("attribute `alpha` is 0, expected another number"));
    }
    let x = node.tensor(0, model)?;
    let x = model.scale(x, 1.0 / alpha)?;
    let y = model.activation(x, Function::Elu { alpha: 1.0 })?;
    Ok(vec![model.scale(y, alpha)?.into()])
}

/// Functions that the client can apply, and nobody else: see [`Function::is_tame`].
macro_rules! last_activation {
    ($name:ident, $op_type:literal, $function:expr) => {
        pub(super) const $name: Importer = Importer {
            op_type: $op_type,
            since: 7,
            supported: "last node, applied by the client; constants; in the forms of Softplus",
            refused: "inside the network",
            import: |node, model| apply(node, model, |_| Ok($function)),
        };
    };
}

last_activation!(LOG, "Log", Function::Log);
last_activation!(SQRT, "Sqrt", Function::Sqrt);

fn apply(
    node: &mut Node<'_>,
    model: &mut Builder,
    function: impl Fn(&mut Node<'_>) -> Result<Function, Refused>,
) -> Result<Vec<Value>, Refused> {
    let function = function(node)?;
    if let Some(chain) = LastNodes::begun(node, 0) {
        let chain = chain.then(ClientOp::Activation(function));
        return Ok(vec![chain.value(node, model)?]);
    }
    let x = node.tensor(0, model)?;
    Ok(vec![model.activation(x, function)?.into()])
}

/// A number; the default is rounded to f32, as every runtime has it.
fn attr(node: &mut Node<'_>, name: &str, default: f64) -> Result<f64, Refused> {
    let value = node.attr::<f64>(name)?.unwrap_or(f64::from(default as f32));
    if !value.is_finite() {
        return Err(refuse(format!("attribute `{name}` is {value}, expected a finite number")));
    }
    Ok(value)
}

fn gelu(node: &mut Node<'_>) -> Result<Function, Refused> {
    match node.attr::<String>("approximate")?.as_deref() {
        None | Some("none") => Ok(Function::Gelu { tanh: false }),
        Some("tanh") => Ok(Function::Gelu { tanh: true }),
        Some(other) => {
            Err(refuse(format!("attribute `approximate` is `{other}`, expected none or tanh")))
        }
    }
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::{ClientOp, Function};

    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn attributes_and_defaults() {
        let function = |op: &str, attributes: &[(&str, Attr<'_>)]| {
            let model = Case::new(24, &[1]).node(op, "x", "y", attributes).import().unwrap();
            match model.outputs[0].client[..] {
                [ClientOp::Activation(function)] => function,
                _ => panic!("expected an activation"),
            }
        };
        let half = |name| (name, Attr::Float(0.5));
        assert_eq!(function("Elu", &[half("alpha")]), Function::Elu { alpha: 0.5 });
        assert_eq!(function("Elu", &[]), Function::Elu { alpha: 1.0 });
        assert_eq!(function("Swish", &[half("alpha")]), Function::Swish { alpha: 0.5 });
        assert_eq!(function("LeakyRelu", &[half("alpha")]), Function::LeakyRelu { alpha: 0.5 });
        let alpha = f64::from(0.01f32);
        assert_eq!(function("LeakyRelu", &[]), Function::LeakyRelu { alpha });
        let both = [half("alpha"), half("beta")];
        assert_eq!(function("HardSigmoid", &both), Function::HardSigmoid { alpha: 0.5, beta: 0.5 });
        let both = [half("alpha"), half("gamma")];
        assert_eq!(function("Selu", &both), Function::Selu { alpha: 0.5, gamma: 0.5 });
        let tanh = [("approximate", Attr::Text("tanh"))];
        assert_eq!(function("Gelu", &tanh), Function::Gelu { tanh: true });
        let celu = Case::new(12, &[2]).node("Celu", "x", "y", &[("alpha", Attr::Float(2.0))]);
        let y = celu.result(&[3.0, -2.0]).1;
        assert_eq!((y[0], (y[1] - 2.0 * (-1f64).exp_m1()).abs() < 1e-15), (3.0, true));
        let other =
            Case::new(20, &[1]).node("Gelu", "x", "y", &[("approximate", Attr::Text("best"))]);
        assert!(other.error().contains("`approximate` is `best`"));
        let infinite =
            Case::new(13, &[1]).node("Elu", "x", "y", &[("alpha", Attr::Float(f32::INFINITY))]);
        assert!(infinite.error().contains("expected a finite number"));
        let wrong = Case::new(13, &[1]).node("Elu", "x", "y", &[("alpha", Attr::Int(1))]);
        assert!(wrong.error().contains("attribute `alpha` has type Int, expected Float"));
    }
}

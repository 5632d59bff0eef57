//! Parameters of a statement, as a tuple.

use postgres_types::{ToSql, Type};

/// The parameters of a statement: a tuple of at most sixteen owned values.
pub trait Params: Send + Sync + 'static {
    /// The values in order.
    fn values(&self) -> Vec<&(dyn ToSql + Sync)>;

    /// What does not fit the types that the server inferred; empty if all does.
    fn mismatches(expected: &[Type]) -> Vec<String>;
}

macro_rules! params {
    ($($name:ident)*) => {
        impl<$($name: ToSql + Send + Sync + 'static),*> Params for ($($name,)*) {
            #[expect(non_snake_case, reason = "one binding per type parameter")]
            fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
                let ($($name,)*) = self;
                vec![$($name as &(dyn ToSql + Sync)),*]
            }

            fn mismatches(expected: &[Type]) -> Vec<String> {
                let accepts: &[(fn(&Type) -> bool, &str)] =
                    &[$((<$name as ToSql>::accepts, std::any::type_name::<$name>())),*];
                if accepts.len() != expected.len() {
                    return vec![format!("{} parameters given, {} expected", accepts.len(), expected.len())];
                }
                accepts
                    .iter()
                    .zip(expected)
                    .enumerate()
                    .filter(|(_, ((accepts, _), ty))| !accepts(ty))
                    .map(|(at, ((_, rust), ty))| format!("${}: {rust} is not {ty}", at + 1))
                    .collect()
            }
        }
    };
}

impl Params for () {
    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        Vec::new()
    }

    fn mismatches(expected: &[Type]) -> Vec<String> {
        if expected.is_empty() {
            Vec::new()
        } else {
            vec![format!("{} parameters expected", expected.len())]
        }
    }
}

params!(A);
params!(A B);
params!(A B C);
params!(A B C D);
params!(A B C D E);
params!(A B C D E F);
params!(A B C D E F G);
params!(A B C D E F G H);
params!(A B C D E F G H I);
params!(A B C D E F G H I J);
params!(A B C D E F G H I J K);
params!(A B C D E F G H I J K L);
params!(A B C D E F G H I J K L M);
params!(A B C D E F G H I J K L M N);
params!(A B C D E F G H I J K L M N O);
params!(A B C D E F G H I J K L M N O P);

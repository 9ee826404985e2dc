//! Whoever has the data: keys, encryption, decryption.

use bytes::Bytes;
use hecc_grammar::envelope::{Fingerprint, KeyId, Origin};
use hecc_grammar::plan::{
    ClientFile, Input, Output, VerifiedClientPart, class_names, class_of, client_of_file,
};
use hecc_grammar::security::Security;
use hecc_runtime::client::{
    Decrypted, EncryptionKey, Outside, Precision, PublicKey, RangePolicy, SecretKey,
    check_security, decrypt_examples, encrypt_examples, evaluation_keys, read_public_key,
    read_secret_key, unusual_examples, write_public_key, write_secret_key,
};
use hecc_runtime::error::RunError;
use hecc_runtime::file::{read_outputs, write_evaluation_keys, write_inputs};
use hecc_runtime::ring::SecretRng;
use ndarray::ArrayD;
use zeroize::Zeroizing;

/// The owner of a secret key for one plan: encrypts inputs, decrypts results, and makes the keys that others need.
///
/// Of the plan it takes the client part, or the whole. One that gives less than 128 bits of security is refused, whatever it says
/// of itself.
pub struct Client {
    network: Network,
    secret: SecretKey,
}

/// Whoever encrypts for the owner of a secret key, with a public key: reads neither inputs nor results.
pub struct Sender {
    network: Network,
    key: PublicKey,
}

/// What a client knows of a network.
struct Network {
    part: VerifiedClientPart,
    fingerprint: Fingerprint,
}

/// What the network says: one output for one example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Prediction {
    /// The numbers of the output after the network's last steps, such as softmax; of the shape of [`Output`], unless these change it.
    /// They are rounded to what the plan proves of them. Even so they are not for the server, or anyone else who has the
    /// ciphertexts: SECURITY.md says why, and what `hecc decrypt --share` does about it.
    pub values: ArrayD<f64>,
    /// The class that it says, if the network decides.
    pub class: Option<usize>,
    /// Why it may be wrong, if it is unlike what calibration saw.
    pub outside: Option<Outside>,
}

impl Client {
    /// A client with a new secret key, for the file of a plan or of its client part.
    ///
    /// # Errors
    /// If the file is neither, or the plan is not secure enough; if the system has no randomness to give.
    pub fn generate(plan: impl Into<Bytes>) -> Result<Client, RunError> {
        Ok(Client { network: Network::read(plan.into())?, secret: SecretKey::generate()? })
    }

    /// The client of a secret key that was saved: the file that [`secret_key`](Self::secret_key) gave, or `hecc keygen`.
    ///
    /// # Errors
    /// If a file is not what it should be, the key is of another plan, or the plan is not secure enough.
    pub fn from_secret_key(plan: impl Into<Bytes>, file: &[u8]) -> Result<Client, RunError> {
        let network = Network::read(plan.into())?;
        // A copy that is wiped: the caller's is the caller's.
        let file = Bytes::from_owner(Zeroizing::new(file.to_vec()));
        let params = &network.part.interface.params;
        let secret = read_secret_key(params, network.fingerprint, file)?;
        Ok(Client { network, secret })
    }

    /// The file of the secret key, to be kept where nobody else reads it; wiped when it is dropped.
    pub fn secret_key(&self) -> Zeroizing<Vec<u8>> {
        let Network { part, fingerprint } = &self.network;
        write_secret_key(&part.interface.params, *fingerprint, &self.secret)
    }

    /// The file of new evaluation keys, for a server: without them it computes nothing, with them it reads nothing. Megabytes to
    /// gigabytes: [`Plan::evaluation_keys_bytes`](crate::Plan::evaluation_keys_bytes) tells.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn evaluation_keys(&self) -> Result<Vec<u8>, RunError> {
        let Network { part, fingerprint } = &self.network;
        let mut rng = SecretRng::from_os()?;
        let keys = evaluation_keys(&part.interface, &self.secret, &mut rng, &|_, _| {});
        let mut file = vec![];
        write_evaluation_keys(&part.interface, *fingerprint, &keys, &mut file)
            .expect("memory takes what is written");
        Ok(file)
    }

    /// The file of a new public key, for [`Sender`]s.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn public_key(&self) -> Result<Vec<u8>, RunError> {
        let Network { part, fingerprint } = &self.network;
        let params = &part.interface.params;
        let key = PublicKey::of(params, &self.secret, &mut SecretRng::from_os()?);
        Ok(write_public_key(params, *fingerprint, &key))
    }

    /// Encrypts examples into a file for a server. `inputs` has a slice for each input of the network: its elements for the first
    /// example, in row-major order, then those for the next. Pixels and the like are to be normalized before, as for the network itself.
    ///
    /// # Errors
    /// If there are not as many elements of each input as whole examples have, one is outside the range that the plan was calibrated
    /// for, or no number; if the system has no randomness to give.
    pub fn encrypt(&self, inputs: &[&[f64]]) -> Result<Vec<u8>, RunError> {
        self.network.encrypt(EncryptionKey::Secret(&self.secret), inputs)
    }

    /// Decrypts the results in a file of a server: for each example the outputs, in the order of the plan.
    ///
    /// # Errors
    /// If the file is not what it should be, or of other keys; over integers, if noise has passed its bound. Whether there was an
    /// error is not to be told to the server.
    pub fn decrypt(&self, results: impl Into<Bytes>) -> Result<Vec<Vec<Prediction>>, RunError> {
        let Network { part, fingerprint } = &self.network;
        let origin = Origin { plan: *fingerprint, key: self.secret.id() };
        let results = read_outputs(&part.interface, origin, results.into())?;
        let precision = Precision::proven(part)?;
        let of_output = |(k, (tensor, output)): (usize, (Vec<f64>, &Output))| {
            let mut shown = tensor.clone();
            precision.round(k, &mut shown);
            Prediction::new(output, Decrypted::new(output, &output.client, tensor, shown))
        };
        let of_example = |tensors: Vec<Vec<f64>>| {
            tensors.into_iter().zip(&part.outputs).enumerate().map(of_output).collect()
        };
        Ok(decrypt_examples(part, &self.secret, &results)?.into_iter().map(of_example).collect())
    }

    /// What [`encrypt`](Self::encrypt) takes: names, shapes (a batch dimension of 1 in front, as the network has it), ranges.
    pub fn inputs(&self) -> &[Input] {
        &self.network.part.inputs
    }

    /// What [`decrypt`](Self::decrypt) gives.
    pub fn outputs(&self) -> &[Output] {
        &self.network.part.outputs
    }

    /// The numbers of examples, as [`encrypt`](Self::encrypt) takes them, which are in range but unlike the calibration data: results
    /// for them may be wrong.
    ///
    /// # Errors
    /// If there are not as many elements of each input as whole examples have.
    pub fn unusual(&self, inputs: &[&[f64]]) -> Result<Vec<usize>, RunError> {
        unusual_examples(&self.network.part, inputs)
    }

    /// Names the secret key in its files and in all that is encrypted under it.
    pub fn key_id(&self) -> KeyId {
        self.secret.id()
    }
}

impl Sender {
    /// A sender with the file of a plan, or of its client part, and that of a public key, from [`Client::public_key`] or
    /// `hecc keygen --public`.
    ///
    /// # Errors
    /// If a file is not what it should be, the key is of another plan, or the plan is not secure enough.
    pub fn new(plan: impl Into<Bytes>, public_key: impl Into<Bytes>) -> Result<Sender, RunError> {
        let network = Network::read(plan.into())?;
        let params = &network.part.interface.params;
        let key = read_public_key(params, network.fingerprint, public_key.into())?;
        Ok(Sender { network, key })
    }

    /// As [`Client::encrypt`], for the owner of the secret key.
    ///
    /// # Errors
    /// Those of [`Client::encrypt`].
    pub fn encrypt(&self, inputs: &[&[f64]]) -> Result<Vec<u8>, RunError> {
        self.network.encrypt(EncryptionKey::Public(&self.key), inputs)
    }
}

impl Network {
    fn read(file: Bytes) -> Result<Network, RunError> {
        let ClientFile { part, fingerprint } = client_of_file(file)?;
        check_security(&part.interface, Security::Bits128)?;
        Ok(Network { part, fingerprint })
    }

    fn encrypt(&self, key: EncryptionKey<'_>, inputs: &[&[f64]]) -> Result<Vec<u8>, RunError> {
        let mut rng = SecretRng::from_os()?;
        let (part, policy) = (&self.part, RangePolicy::Refuse);
        let sets = encrypt_examples(part, key, &mut rng, inputs, policy, &|_| {})?;
        Ok(write_inputs(&part.interface, self.fingerprint, &sets))
    }
}

impl Prediction {
    fn new(output: &Output, decrypted: Decrypted) -> Prediction {
        let Decrypted { decided, applied, outside, .. } = decrypted;
        let class = class_of(output.kind, &output.client, &decided);
        Prediction { values: applied, class, outside }
    }

    /// The name of the class, if classes have names.
    pub fn class_name<'a>(&self, output: &'a Output) -> Option<&'a str> {
        class_names(&output.client)?.get(self.class?).map(String::as_str)
    }
}

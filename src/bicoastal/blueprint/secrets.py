"""Passwords of the database's roles and the application's own secrets: made at home, copied to the standby (D8).

They are ours, not RDS's: RDS refuses to manage the master's password where a read replica exists. A region reads its
own copy, so that a failover asks nothing of the lost one; a secret is changed at home only, and waits for `rejoin`.

Who may read them is granted here and nowhere else. There is no resource policy: it would have to name whoever deploys
(the master's password is resolved with their rights), and one that forgets them locks everybody out. Reading needs a
grant on the secret and one on its key, and the key's grant is bound to the secret's name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bicoastal.blueprint.grants import Grant
from bicoastal.blueprint.stack import DataClass, Output, Stack, Where
from bicoastal.cfn.intrinsics import Commented, Value, ref, select, split, sub
from bicoastal.spec.model import Spec

MASTER_USERNAME: Final = "bicoastal_admin"
"""RDS's master user: creates the other roles, and is used for nothing else."""
PASSWORD_LENGTH: Final = 48
"""Letters and digits: about 285 bits, and nothing that a URL, a shell or RDS (which refuses / @ and ") trips over."""
_RANDOM_SUFFIX: Final = "-??????"
"""Secrets Manager ends every ARN with a hyphen and six random characters."""


@dataclass(frozen=True)
class Secrets:
    """ARNs of the secrets in the home region; `local_arn` turns one into the ARN of the stack's own region."""

    stack: Stack
    master_secret_arn: Output
    owner_secret_arn: Output
    app_secret_arn: Output
    kit_secret_arn: Output
    application: Mapping[str, Output]
    """The application's own secrets, by environment variable; the value is the whole SecretString."""
    data_key_arn: Output
    names: Mapping[str, str]
    """Name of each secret, the same in both regions, by the name of its output."""

    @property
    def fleet_grants(self) -> tuple[Grant, ...]:
        """What every instance reads: the application's role, the kit's role, the application's own secrets."""
        return self._grants("Fleet", (self.app_secret_arn, self.kit_secret_arn, *self.application.values()))

    @property
    def bootstrap_grants(self) -> tuple[Grant, ...]:
        """What the bootstrap instance reads beside that: it creates roles as the master, and migrates as the owner."""
        everything = (self.master_secret_arn, self.owner_secret_arn, self.app_secret_arn, self.kit_secret_arn)
        return self._grants("Bootstrap", (*everything, *self.application.values()))

    def _grants(self, reader: str, secrets: Sequence[Output]) -> tuple[Grant, ...]:
        names = [self.names[secret.name] for secret in secrets]
        return (
            Grant(
                f"{reader}ReadsSecrets",
                ("secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"),
                lambda stack: [local_arn(stack, secret) for secret in secrets],
            ),
            Grant(
                f"{reader}DecryptsSecrets",
                ("kms:Decrypt",),
                lambda stack: [stack.input(self.data_key_arn)],
                {
                    "StringEquals": {"kms:ViaService": sub("secretsmanager.${AWS::Region}.amazonaws.com")},
                    "StringLike": {"kms:EncryptionContext:SecretARN": _any_region(names)},
                },
            ),
        )


def local_arn(stack: Stack, secret: Output) -> Value:
    """The secret's ARN in the region of `stack`: a copy's ARN differs from the home region's in the region alone."""
    name_and_suffix = select(6, split(":", stack.input(secret)))
    return sub(
        "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${Secret}",
        {"Secret": name_and_suffix},
    )


def secrets(spec: Spec, data_key_arn: Output) -> Secrets:
    """Every secret of the deployment. `data_key_arn`: the key for data of each region, under which its copy is kept."""
    stack = Stack(
        spec,
        "secrets",
        "Passwords of the database's roles and the application's own secrets, copied to the standby.",
        regions=(spec.home,),
        protected=True,
    )
    stack.setting("StandbyRegion", spec.standby, "Region that the secrets are copied to.")
    passwords = {role: _password(stack, data_key_arn, role, name, purpose) for role, name, purpose in _ROLES}
    application = {variable: _empty(stack, data_key_arn, variable) for variable in spec.app.secrets}
    made = (*passwords.values(), *application.values())
    return Secrets(
        stack,
        passwords["master"][0],
        passwords["owner"][0],
        passwords["app"][0],
        passwords["kit"][0],
        {variable: arn for variable, (arn, _) in application.items()},
        data_key_arn,
        {arn.name: name for arn, name in made},
    )


_ROLES: Final = (
    ("master", MASTER_USERNAME, "RDS's master user. Used by the bootstrap alone."),
    ("owner", "owner", "Owns the application's schema: migrations, run by the bootstrap."),
    ("app", "app", "The application at work: reads and writes rows, owns nothing."),
    ("kit", "kit", "The instance kit: heartbeat, metrics, fence."),
)


def _password(stack: Stack, key: Output, role: str, username: str, purpose: str) -> tuple[Output, str]:
    generated = Commented(
        {
            "SecretStringTemplate": f'{{"username": "{username}"}}',
            "GenerateStringKey": "password",
            "PasswordLength": PASSWORD_LENGTH,
            "ExcludePunctuation": True,
        },
        "Any change here makes a new password that no database knows. Rotate by the runbook, not by this template.",
    )
    return _secret(
        stack,
        key,
        f"{role.capitalize()}Secret",
        f"{role.capitalize()}CredentialsArn",
        name=f"database/{role}",
        description=f"{purpose} A JSON object: username, password.",
        value={"GenerateSecretString": generated},
    )


def _empty(stack: Stack, key: Output, variable: str) -> tuple[Output, str]:
    return _secret(
        stack,
        key,
        f"AppSecret{_identifier(variable)}",
        _output_name(variable),
        name=f"app/{variable}",
        description=f"Given to the application as {variable}.",
        comment="Created without a value: fill it in with `aws secretsmanager put-secret-value`. Until then an "
        "instance that needs it does not start, rather than run with a value that nobody chose.",
    )


def _secret(
    stack: Stack,
    key: Output,
    logical_id: str,
    output_name: str,
    *,
    name: str,
    description: str,
    value: Mapping[str, Value] | None = None,
    comment: str = "",
) -> tuple[Output, str]:
    """A secret, its copy, and the output of its ARN; returns that and the name."""
    full_name = f"{stack.spec.prefix}/{name}"
    copy = {"Region": ref("StandbyRegion"), "KmsKeyId": stack.input(key, Where.STANDBY)}
    secret = stack.add(
        logical_id,
        "AWS::SecretsManager::Secret",
        {
            "Name": full_name,
            "Description": description,
            **(value or {}),
            "KmsKeyId": stack.input(key, Where.HOME),
            "ReplicaRegions": [copy],
        },
        comment=comment,
        data_class=DataClass.CREDENTIALS,
        retain=True,
    )
    return stack.output(output_name, secret.ref, f"{full_name}, in the home region."), full_name


def _identifier(variable: str) -> str:
    """`STRIPE_API_KEY` as `StripeApiKey4C1D2E`: two variables never share one, whatever their underscores."""
    words = "".join(word.capitalize() for word in variable.split("_"))
    return f"{words}{hashlib.sha256(variable.encode()).hexdigest()[:6].upper()}"


def _output_name(variable: str) -> str:
    """`AppStripeApiKey4C1D2EArn`: it names a parameter, and AWS's validator takes some words there for a password."""
    return f"App{re.sub('Secret|Password|Passphrase', '', _identifier(variable), flags=re.IGNORECASE)}Arn"


def _any_region(names: Iterable[str]) -> list[Value]:
    """The ARNs of these secrets in whichever region: the key is asked on behalf of the copy or of the original."""
    return [
        sub(f"arn:${{AWS::Partition}}:secretsmanager:*:${{AWS::AccountId}}:secret:{name}{_RANDOM_SUFFIX}")
        for name in names
    ]

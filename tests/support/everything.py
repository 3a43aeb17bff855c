"""Every change that an organisation records, made once."""

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN, ROLE_VIEWER
from gen.ingate.keys.v1 import key_service_pb2 as keys
from gen.ingate.orgs.v1 import app_service_pb2 as apps
from gen.ingate.orgs.v1 import member_service_pb2 as members
from gen.ingate.orgs.v1 import org_service_pb2 as orgs
from gen.ingate.orgs.v1 import team_service_pb2 as teams
from gen.ingate.providers.v1 import provider_service_pb2 as providers
from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_OPENAI


async def everything(site, org):
    """Does everything that is recorded, and returns the secrets that came up and who joined."""
    owner, id_ = org.owner, org.id
    key = await site.key(org)
    rotated = await site.call(keys.RotateKeyRequest(key_id=key.id), owner)
    person = await site.join(org, ROLE_VIEWER)
    unwanted = await site.invite(org)
    made = {}

    async def make(name, request):
        made[name] = getattr(await site.call(request, owner), name).id

    async def do(*requests):
        for request in requests:
            await site.call(request, owner)

    await do(
        keys.UpdateKeyRequest(key_id=key.id, name="b"),
        keys.RevokeKeyRequest(key_id=rotated.description.id),
        members.UpdateMemberRequest(org_id=id_, user_id=person.user_id, role=ROLE_ADMIN),
        members.RemoveMemberRequest(org_id=id_, user_id=person.user_id),
        members.RevokeInvitationRequest(org_id=id_, invitation_id=unwanted.invitation.id),
    )
    await make("team", teams.CreateTeamRequest(org_id=id_, name="t"))
    await make("app", apps.CreateAppRequest(org_id=id_, name="a"))
    await do(
        teams.UpdateTeamRequest(org_id=id_, team_id=made["team"], name="u"),
        apps.UpdateAppRequest(org_id=id_, app_id=made["app"], name="b"),
        teams.DeleteTeamRequest(org_id=id_, team_id=made["team"]),
        apps.DeleteAppRequest(org_id=id_, app_id=made["app"]),
        providers.CreateProviderRequest(name="p", type=PROVIDER_TYPE_OPENAI, api_key="sk-provider-secret"),
        providers.UpdateProviderRequest(name="p", api_key="sk-provider-secret-2"),
        providers.DeleteProviderRequest(name="p"),
        orgs.UpdateOrgRequest(org_id=id_, name="Renamed"),
    )
    secrets = [key.secret, rotated.key, unwanted.token, person.token, "sk-provider-secret"]
    return secrets, person

import pytest
from conftest import linear_time
from hypothesis import given
from redaction_cases import check, check_windows, texts

from filters.redaction import Options, find

COORDINATES = Options(types=("coordinates",))

CASES = [
    # keys
    "lat «52.5200, lon -13.4050», lat=«52.5200&lon=13.4050» lat: «52.52000, lng: -13.40500»",
    '{"lat": «52.5200, "lng": 13.4050», "zoom": 1}, <trkpt lat="«52.5200" lon="13.4050»">',
    "<lat>«52.5200</lat><lng>13.4050»</lng> Latitude: «53.365833\nLongitude: 7.206389»\n",
    # degrees and points of the compass
    "«52.5200° N, 13.4050° E», «52.5200°, 13.4050°», at N «52.5200 E 13.4050».",
    "«52°31'12.0\"N 13°24'17.6\"E», «52° 31′ 12″ N, 13° 24′ 17″ W», N «52° 31.200' E 13° 24.294'»",
    # addresses of maps, other notations
    "maps/@«52.5200066,13.404954»,17z geo:«52.5200,13.4050»;u=35 !3d«52.5200!4d13.4050»",
    "?q=«52.5200,-13.4050»&ll=«52.5200%2C13.4050» POINT(«13.4050 52.5200»)",
    # words
    "Coordinates: «52.5200, 13.4050». GPS («33.8688, 151.2093»)",
    "latitude and longitude «48.8566 2.3522» <|coordinates|>",
    # as maps give them
    "We met at «52.52001, -13.40495», by the door («-52.5200,13.40495»). 52.520,13.40495",
    '"loc": "«52.520012,13.404951»", place=«52.520012,13.404951»\nplace: «52.52001, 13.40495»\n',
    "52.52001 13.40495; 95.52001, 13.40495; 52.52001, 193.40495; 52.5200, 13.4049",
    "52.123456789, 13.40495 [52.52001, 13.40495] {52.52001, 13.40495} = 52.52001, 13.40495",
    "f(52.52001, 13.40495) f((52.52001, 13.40495)) x = (52.52001, 13.40495)",
    "(52.52001, 13.40495),\n",
    "a,52.52001,13.40495\n7\n52.52001,13.40495\nb 52.52001,13.40495,7 c 52.52001,13.40495 L 7",
    "52.52001, 13.40495\n53.52001, 14.40495\n",
    "52.52001, 13.40495,\n   5\n",
    "{'AA': (52.52001, 13.40495)} Location: («52.52001, 13.40495»)\nseen at («52.52001, 13.40495»)",
    "M 52.52001,13.40495 z (52.52001, 13.40495), (53.52001, 14.40495) 52.52001, 13.40495%",
    # no word, or too few decimals
    "52.5200, 13.4050 [52.5200, 13.4050] M 12.5200,13.4050 L 14.1234,15.1234",
    "coordinates 52.520, 13.405; lat 52.52 lon 13.40; 52° N 13° E; 52°31' N 13°24' E",
    # no such place, or in the sea
    "(0.0000, 0.0000) coordinates: 0.1234, 0.5678",
    "lat=95.0000&lon=120.0000",
    "lat=5.0000&lon=190.0000",
    # three dimensions, dates, temperatures
    "coordinates: 12.1234, 0.5678, 3.1234 lat 09.04.2020 14, 12.2020 37.1234° C, 36.1234° F",
]


@pytest.mark.parametrize("marked", CASES)
def test_golden_hits(marked: str) -> None:
    check(marked, COORDINATES)


PIECES = (
    "52.5200",
    "52.52001, ",
    "-13.4050",
    "lat=",
    "&lon=",
    "52°31'12.0\"N",
    "13°24'17\"E",
    "@",
    "° N",
    "GPS ",
)


@given(texts(PIECES, "0123456789.,° -'NE\xb4|<"))
def test_windows_hold_all_hits(text: str) -> None:
    check_windows(text, COORDINATES)


@pytest.mark.parametrize("piece", ["52.5200,", "52.5200, ", "52° ", "@52.5200,", "52°31'"])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    with linear_time():
        find(piece * (1_000_000 // len(piece)), COORDINATES)

{# How likely a chi-squared statistic is this large or larger by chance, for 1 to 9 degrees of freedom: the closed forms
   of the incomplete gamma function at halves and wholes (Abramowitz and Stegun 26.4.4, 26.4.5). #}
{% macro chi_squared_p(statistic, degrees) -%}
    case
        when {{ degrees }} between 1 and 9 then (
            select
                case when {{ degrees }} % 2 = 1 then erfc(sqrt(({{ statistic }})::double precision / 2)) else 0 end
                + coalesce(sum(
                    exp(-({{ statistic }})::double precision / 2)
                    * power(({{ statistic }})::double precision / 2, terms.exponent)
                    / terms.gamma
                ), 0)
            from (
                values
                (1, 0.5, 0.886226925452758), (1, 1.5, 1.329340388179137), (1, 2.5, 3.323350970447843),
                (1, 3.5, 11.63172839656745), (0, 0.0, 1.0), (0, 1.0, 1.0), (0, 2.0, 2.0), (0, 3.0, 6.0)
            ) as terms (is_odd, exponent, gamma)
            where
                terms.is_odd = {{ degrees }} % 2
                and terms.exponent < ({{ degrees }} - 1) / 2.0
        )
    end
{%- endmacro %}
